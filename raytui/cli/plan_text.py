"""`raytui plan` for people: what would be launched and removed, what waits, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from raytui.autoscaler.explain import bound_text, explain
from raytui.cli.report_text import table
from raytui.config.problems import shown
from raytui.model.plan import Kept, Launch, Outcome, Plan, Removal, Verdict, Wait
from raytui.model.state import ClusterState
from raytui.model.text import count_text, money_text

_MOST = 40
"""Lines of a section; who wants all of a large cluster asks for --json."""

_STATES = {
    Wait.RAY: "● placing",
    Wait.STARTING: "◐ starting",
    Wait.LAUNCH: "◐ launching",
    Wait.BLOCKED: "■ blocked",
    Wait.INFEASIBLE: "✕ infeasible",
}


def plan_text(plan: Plan, state: ClusterState, now: float, solve_ms: float) -> str:
    """The whole plan; ages and times left are as of `now` (unix s)."""
    leaving = {removal.instance_id for removal in plan.removals}
    kept = [k for k in plan.kept if k.instance_id not in leaving]
    types = {member.id: member.node_type for member in state.members}
    sections: list[Iterable[str]] = [
        [_head(plan, state)],
        _section("LAUNCH", [_launch(launch, now) for launch in plan.launches], right=(0,)),
        _section(
            "TYPES CONSIDERED",
            [_verdict(verdict, now) for verdict in plan.verdicts],
            ("", "fits", "nodes", "$/h", "$ per demand", "waste", "verdict"),
            right=range(1, 6),
        ),
        _section("REMOVE", [_removal(removal, now) for removal in plan.removals]),
        _section("DEMAND", [_outcome(outcome, now) for outcome in plan.outcomes], right=(0,)),
        _section("STAYS", [_kept(k, types.get(k.instance_id, ""), now) for k in kept]),
        ["", _foot(plan, solve_ms)],
    ]
    return "\n".join(shown(line) for lines in sections for line in lines)


def _head(plan: Plan, state: ClusterState) -> str:
    launched = sum(launch.count for launch in plan.launches)
    acts = []
    if launched:
        acts.append(f"launch {count_text(launched, 'node')}")
    if plan.removals:
        acts.append(f"remove {count_text(len(plan.removals), 'node')}")
    there = count_text(len(state.members), "node")
    return f"{there} now → {' and '.join(acts) or 'nothing to do'}"


def _foot(plan: Plan, solve_ms: float) -> str:
    facts = []
    if plan.launches:
        facts.append(f"launches cost {money_text(plan.cost_per_hour)}")
    facts += filter(None, [bound_text(plan)])
    facts.append(f"solved in {solve_ms:.1f} ms")
    return " · ".join(facts)


def _launch(launch: Launch, now: float) -> tuple[str, ...]:
    return (
        f"{launch.count:,} ×",
        launch.node_type,
        launch.offering.text(),
        explain(launch.reason, now) + ("; all or none" if launch.all_or_nothing else ""),
    )


def _verdict(verdict: Verdict, now: float) -> tuple[str, ...]:
    return (
        verdict.node_type,
        f"{verdict.fits:,}",
        f"{verdict.nodes:,}",
        _price(verdict.price_per_hour),
        _price(verdict.price_per_request),
        f"{verdict.waste:.0%}" if verdict.fits else "–",
        ("✓ " if verdict.chosen else "  ") + explain(verdict.reason, now),
    )


def _price(amount: float | None) -> str:
    return money_text(amount).removesuffix("/h").removeprefix("$")


def _removal(removal: Removal, now: float) -> tuple[str, ...]:
    return removal.instance_id, removal.node_type, explain(removal.reason, now)


def _outcome(outcome: Outcome, now: float) -> tuple[str, ...]:
    return (
        f"{outcome.count:,} ×",
        outcome.label or outcome.resources.text(),
        _STATES[outcome.wait],
        explain(outcome.reason, now),
    )


def _kept(kept: Kept, node_type: str, now: float) -> tuple[str, ...]:
    return kept.instance_id, node_type, explain(kept.reason, now)


def _section(
    title: str,
    rows: Sequence[Sequence[str]],
    titles: Sequence[str] = (),
    right: Iterable[int] = (),
) -> list[str]:
    if not rows:
        return []
    more = len(rows) - _MOST
    lines = table(titles or [""] * len(rows[0]), rows[:_MOST], right)
    rest = [f"  … and {more:,} more; --json has them all"] if more > 0 else []
    return ["", title, *lines, *rest]
