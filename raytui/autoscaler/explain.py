"""Reasons in words: the one place where a code and its arguments become a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from raytui.model.plan import Launch, Plan
from raytui.model.reason import Reason, Why, because
from raytui.model.snapshot import Row
from raytui.model.state import NoticeKind
from raytui.model.text import (
    amount_text,
    bytes_text,
    clock_text,
    duration_text,
    first_line,
    money_text,
)

_Args = Mapping[str, str | int | float]


def explain(reason: Reason, now: float) -> str:
    """A reason as one short sentence without a full stop.

    `now` is unix seconds on the clock that the reason's own times were taken from.
    """
    return _WORDS[reason.why](_Arguments(reason.args), now)


def why_here(row: Row, now: float) -> str:
    """Why a node is here, and that it may be taken back; empty when nothing is known."""
    words = explain(row.reason, now) if row.reason is not None else ""
    notice = row.member.notice
    told = row.reason is not None and row.reason.why is Why.AT_RISK
    if told or notice is None or notice.kind is not NoticeKind.REBALANCE:
        return words
    risk = f"{notice.by} may take it back soon"
    return f"{risk}; {words}" if words else risk


class _Arguments(dict[str, str | int | float]):
    """Arguments of a reason; a missing one reads as `?` instead of failing the screen."""

    def __missing__(self, key: str) -> str:
        return "?"

    def number(self, key: str) -> float:
        value = self.get(key, 0)
        return float(value) if isinstance(value, (int, float)) else 0.0


def _by(args: _Arguments) -> str:
    return f" by {args['by']}" if args.get("by") else ""


def _limit(args: _Arguments) -> str:
    return "the ceiling" if "ceiling" in args else "max_workers"


def _fallback(args: _Arguments) -> str:
    return f" (fallback {args['fallback']})" if "fallback" in args else ""


def _waits_for_starting(args: _Arguments, now: float) -> str:
    ready = args.number("ready_at")
    if not ready:
        return f"on {args['nodes']} starting{_fallback(args)}"
    left = ready - now
    when = f"ready in about {duration_text(left)}" if left > 0 else "any moment now"
    return f"on {args['nodes']} starting ({when}){_fallback(args)}"


def _too_large(args: _Arguments, _now: float) -> str:
    name = str(args["resource"])
    wanted, most = (amount_text(name, args.number(key)) for key in ("wanted", "most"))
    return f"{name} {wanted} wanted, the largest type {args['node_type']} has {most}"


def _backing_off(args: _Arguments, now: float) -> str:
    message = _short(args["message"])
    retry_at = args.number("retry_at")
    retry = f"; next try {clock_text(retry_at)}" if retry_at > now else "; trying again"
    where = f" in {args['offering']}" if args.get("offering") else ""
    return f"{args['node_type']}: {args['kind']}{where} (“{message}”){retry}"


def _gang_too_few(args: _Arguments, _now: float) -> str:
    return (
        f"{args['strategy']} needs {args['wanted']} nodes at once, "
        f"the limits allow {args['possible']} → raise max_workers of {args['node_type']}"
    )


def _idle(args: _Arguments, now: float) -> str:
    idle_for = duration_text(now - args.number("since"))
    left = args.number("leaves_at") - now
    return f"idle {idle_for}, leaves in {duration_text(left)}" if left > 0 else f"idle {idle_for}"


def _held(args: _Arguments, _now: float) -> str:
    until = args.number("until")
    return f"held{_by(args)}" + (f" until {clock_text(until)}" if until else "")


def _orphan(args: _Arguments, now: float) -> str:
    age = duration_text(now - args.number("since"))
    sweep_at = args.number("sweep_at")
    end = f"terminated at {clock_text(sweep_at)}" if sweep_at else "`raytui sweep` ends it"
    return f"orphan, {age} old: no record of it; {end}"


def _orphan_swept(args: _Arguments, now: float) -> str:
    hours = (now - args.number("since")) / 3600
    price = args.number("price")
    cost = f", {money_text(price)}, about ${price * hours:,.2f} so far" if price else ""
    return f"orphan, {duration_text(hours * 3600)} old{cost}"


def _starting(args: _Arguments, now: float) -> str:
    status = str(args["status"]).replace("-", " ")
    return f"{status} for {duration_text(now - args.number('since'))}"


def _replaces(args: _Arguments, _now: float) -> str:
    if args.number("count") == 1:
        return f"room for {args['shape']} of a node that is taken back"
    return f"room for {args['count']} × {args['shape']} of nodes that are taken back"


def _taken_back(args: _Arguments, _now: float) -> str:
    at = clock_text(args.number("deadline"))
    return f"{args['by']} takes it back at {at}: spot interruption notice"


def _drained(args: _Arguments, _now: float) -> str:
    deadline = args.number("deadline")
    until = f" until {clock_text(deadline)}" if deadline else ""
    return f"Ray was told to drain it{until}, and not by raytui"


def _draining(args: _Arguments, now: float) -> str:
    left = args.number("deadline") - now
    limit = f", at most {duration_text(left)} more" if left > 0 else ""
    return f"draining: {args['cause']}{limit}"


_WORDS: dict[Why, Callable[[_Arguments, float], str]] = {
    Why.FITS_RUNNING: lambda a, _: f"room on running nodes{_fallback(a)}; Ray is about to place it",
    Why.WAITS_FOR_STARTING: _waits_for_starting,
    Why.MAX_WORKERS_TYPE: lambda a, _: (
        f"{_limit(a)} of {a['node_type']} is {a['max']}, {a['now']} in use"
    ),
    Why.MAX_WORKERS_GLOBAL: lambda a, _: (
        f"the cluster's max_workers is {a['max']}, {a['now']} in use"
    ),
    Why.UPSCALING_SPEED: lambda a, _: (
        f"upscaling_speed {a['speed']} lets {a['allowed']} × {a['node_type']} start at a time"
    ),
    Why.NO_TYPE_HAS: lambda a, _: f"no node type has {a['resource']}",
    Why.TOO_LARGE: _too_large,
    Why.NO_TYPE_LABELS: lambda a, _: f"no node type has the labels {a['selector']}",
    Why.BACKING_OFF: _backing_off,
    Why.GANG_TOO_FEW_NODES: _gang_too_few,
    Why.GANG_BOUND: lambda a, _: (
        f"{a['strategy']} ties it to {a['node']}, which has no room for the rest now"
    ),
    Why.BUDGET: lambda a, _: (
        f"the budget is {money_text(a.number('max'))}, {money_text(a.number('now'))} in use; "
        f"this takes {money_text(a.number('price'))} more"
    ),
    Why.PAUSED: lambda a, _: f"the autoscaler is paused{_by(a)}",
    Why.NOT_OBSERVED: lambda a, now: (
        f"{a['source']} has not answered for {duration_text(now - a.number('since'))}"
    ),
    Why.DOUBTED: lambda a, _: f"{a['source']} is not believed yet: {a['doubt']}",
    Why.WATCHED: lambda a, _: f"raytui only watches: {a['cause']}",
    Why.MIN_WORKERS: lambda a, _: f"min_workers of {a['node_type']} is {a['floor']}",
    Why.USER_FLOOR: lambda a, _: f"the floor of {a['node_type']} is {a['floor']}",
    Why.FOR_DEMAND: lambda a, _: f"{a['count']} × {a['shape']} found no room",
    Why.FOR_GANG: lambda a, _: f"placement group {a['gang']}{_fallback(a)} found no room",
    Why.FOR_CONSTRAINT: lambda a, _: f"request_resources wants {a['shape']}",
    Why.REPLACES: _replaces,
    Why.CHEAPEST: lambda a, _: "cheapest",
    Why.ONLY_FIT: lambda a, _: "the only type that fits",
    Why.BEST_MIX: lambda a, _: "part of the cheapest mix",
    Why.AS_GOOD: lambda a, _: "as good; another one came first",
    Why.DOES_NOT_FIT: lambda a, _: f"does not fit: {a['what']}",
    Why.DEARER: lambda a, _: f"{a['factor']}× dearer",
    Why.SPARES_GPU: lambda a, _: "its GPUs are kept for work that needs them",
    Why.NO_ROOM: lambda a, _: f"no room: {a['now']} of {a['max']} in use",
    Why.HEAD: lambda a, _: "the head",
    Why.BUSY: lambda a, _: f"busy: {a['activity']}",
    Why.IDLE: _idle,
    Why.HOLDS_OBJECTS: lambda a, _: f"holds {bytes_text(a.number('bytes'))} of objects",
    Why.STARTING: _starting,
    Why.HELD: _held,
    Why.EXPECTED: lambda a, _: f"about to run {a['shape']}",
    Why.UNMANAGED: lambda a, _: "joined by hand; not ours to remove",
    Why.ORPHAN: _orphan,
    Why.REMOVAL_BUDGET: lambda a, _: f"removal budget: {a['leaving']} of {a['max']} are leaving",
    Why.QUIET_HOURS: lambda a, _: f"quiet hours until {clock_text(a.number('until'))}",
    Why.QUARANTINED: lambda a, _: f"quarantined: {a['error']}",
    Why.IDLE_TIMEOUT: lambda a, _: (
        f"idle {duration_text(a.number('idle_s'))}, limit {duration_text(a.number('timeout_s'))}"
    ),
    Why.OVER_MAX_TYPE: lambda a, _: f"above {_limit(a)} of {a['node_type']} ({a['max']})",
    Why.OVER_MAX_GLOBAL: lambda a, _: f"above the cluster's max_workers ({a['max']})",
    Why.TYPE_GONE: lambda a, _: f"{a['node_type']} is no longer a node type of the cluster",
    Why.ORPHAN_SWEPT: _orphan_swept,
    Why.ORDERED_SOON: lambda a, now: (
        f"terminates in {duration_text(max(0.0, a.number('at') - now))} by order"
        f"{' of ' + str(a['by']) if a.get('by') else ''}; that can be taken back"
    ),
    Why.BY_COMMAND: lambda a, _: f"ordered{_by(a)}",
    Why.TAKEN_BACK: _taken_back,
    Why.DRAINED: _drained,
    Why.AT_RISK: lambda a, _: f"{a['by']} may take it back soon: rebalance recommendation",
    Why.DRAINING: _draining,
    Why.SETUP_FAILED: lambda a, _: f"set-up failed: {_short(a['message'])}",
    Why.LAUNCH_FAILED: lambda a, _: f"launch failed: {_short(a['message'])}",
    Why.LOST: lambda a, _: f"lost: {_short(a['message'])}",
    Why.TIMED_OUT: lambda a, _: f"still {a['status']} after {duration_text(a.number('after_s'))}",
}


def _short(message: object) -> str:
    line = first_line(str(message)) or "no message"
    return line if len(line) <= 160 else line[:159] + "…"


def summarise(plan: Plan, now: float) -> str:
    """One journal line for a plan that acts: what is launched and drained, and the first why."""
    parts = []
    if plan.launches:
        parts.append(f"launch {_by_type(plan.launches)}: {explain(_main_reason(plan), now)}")
    if plan.removals:
        first = plan.removals[0]
        more = len(plan.removals) - 1
        whom = f"{first.node_type} {first.instance_id}" + (f" and {more} more" if more else "")
        parts.append(f"drain {whom}: {explain(first.reason, now)}")
    return "; ".join(parts) or "nothing to do"


def bound_text(plan: Plan) -> str:
    """How near the plan's launches are to the cheapest there can be; empty when not known."""
    bound = plan.lower_bound_per_hour
    if not bound:
        return ""
    over = max(0.0, plan.cost_per_hour / bound - 1)
    near = "is that cheap" if over < 0.0005 else f"is within {over:.1%} of the cheapest there is"
    return f"no plan can cost less than {money_text(bound)}; this one {near}"


def _main_reason(plan: Plan) -> Reason:
    """The first launch's reason; the same demand on several types counts as one."""
    first = plan.launches[0].reason
    if first.why is not Why.FOR_DEMAND:
        return first
    alike = [
        launch.reason.args["count"]
        for launch in plan.launches
        if launch.reason.why is Why.FOR_DEMAND
        and launch.reason.args["shape"] == first.args["shape"]
    ]
    return because(Why.FOR_DEMAND, count=sum(map(int, alike)), shape=first.args["shape"])


def _by_type(launches: tuple[Launch, ...]) -> str:
    totals: dict[str, int] = {}
    for launch in launches:
        totals[launch.node_type] = totals.get(launch.node_type, 0) + launch.count
    return ", ".join(f"{count} × {name}" for name, count in totals.items())
