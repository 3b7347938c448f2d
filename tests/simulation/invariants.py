"""The invariants of the design, each a function that looks at the evidence after every step.

None of them asks the loop: they know the provider's machines, Ray's nodes, what is on disk, what
people ordered and what the screen shows. Each yields the words of what is broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from raytui.autoscaler.planning.taken_back import WITHOUT_US
from raytui.model.command import (
    HoldNodes,
    Pause,
    ReleaseNodes,
    Resume,
    SweepOrphans,
    Terminate,
)
from raytui.model.lifecycle import COUNTED, LEAVING, ON_ORDER
from raytui.model.plan import Removal, Request, Wait
from raytui.model.reason import Why
from raytui.model.state import NodeStatus, NoticeKind
from tests.simulation.cloud import Ended
from tests.simulation.people import Order
from tests.simulation.witness import Witness

_MISSED_ROUNDS = 8
_MISSED_S = 30.0
"""A machine may be unknown for so many rounds, and so long: listings come late."""
_OF_ROOM = (Request.DEMAND, Request.GANG, Request.REPLACEMENT)
_UNHEEDED_ROUNDS = 3
_OVER_LIMIT = (Why.OVER_MAX_TYPE, Why.OVER_MAX_GLOBAL, Why.TYPE_GONE)


class BrokenInvariant(AssertionError):  # noqa: N818 - what it says, not what kind of error it is
    """An invariant does not hold; `name` is the function that found it."""

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"{name}: {words}")
        self.name = name


def never_above_max_workers(seen: Witness) -> Iterator[str]:
    """Per type and in all, at the provider; nodes on their way out do not count any more."""
    there = seen.standing()
    for name in ("", *{m.instance.node_type: None for m in seen.cloud.alive.values()}):
        if name == seen.spec.head_node_type:
            continue
        kind = seen.spec.node_types.get(name)
        limit = seen.spec.max_workers if not name else kind.max_workers if kind else 0
        count = there[name]
        if count > max(limit, seen.allowed[name]):
            yield f"{count} {name or 'workers'} at max_workers {limit}"
        seen.allowed[name] = min(seen.allowed[name], count)


def never_the_head_nor_a_busy_node(seen: Witness) -> Iterator[str]:
    """Except by an order, at the deadline of a drain that a person caused, or of a notice."""
    for end in seen.ended:
        name = end.machine.id
        if end.machine.instance.is_head:
            yield f"the head {name} was terminated"
        elif end.node_since is not None:
            decided = seen.removals.get(name, [])
            if not decided and seen.clock_set and name not in seen.ran:
                continue  # it seemed to have taken an hour to start; nobody could know better
            if not decided:
                yield f"{name} was alive and nobody decided on its end"
            elif end.busy and not any(_may_cut(seen, d.removal, end) for d in decided):
                yield f"{name} was terminated while {', '.join(end.busy[:3])} ran on it"


def _may_cut(seen: Witness, removal: Removal, end: Ended) -> bool:
    """Whether this removal may have ended a busy node.

    A starting node is ended at once: that it has just begun to run work nobody could know.
    """
    by_person = removal.reason.why is Why.BY_COMMAND or (
        removal.reason.why in _OVER_LIMIT and seen.limits_lowered
    )
    taken_back = removal.reason.why in WITHOUT_US
    deadline = removal.deadline
    notice = seen.truth.notices.get((end.machine.id, NoticeKind.INTERRUPTION))
    if taken_back and notice is not None:
        deadline = notice.deadline
    over = end.wall >= deadline or seen.clock_set or end.machine.id not in seen.ran
    return (by_person or taken_back) and bool(deadline) and over


def every_instance_has_a_row(seen: Witness) -> Iterator[str]:
    """On disk, or on the screen as an orphan; and no row is without a machine."""
    rows = seen.snapshot.rows if seen.snapshot else ()
    orphans = {r.id for r in rows if r.member.instance is not None and r.member.instance.orphan}
    reliable = seen.snapshot is not None and all(s.ok for s in seen.snapshot.sources)
    for name, machine in seen.cloud.alive.items():
        if name in seen.rows or name in orphans or seen.expected(machine):
            machine.missed, machine.known_at = 0, seen.clock.now
        elif reliable and machine.listed_from < seen.clock.now:
            machine.missed += 1
            if machine.missed > _MISSED_ROUNDS and seen.clock.now - machine.known_at > _MISSED_S:
                yield f"nothing knows of {name}"
        if name in seen.had_row and name not in seen.rows:
            yield f"{name} is alive and its row has ended"
    for name, row in seen.rows.items():
        if name not in seen.cloud.machines and row.status.value not in ("queued", "requested"):
            yield f"the row {name} ({row.status}) stands for no machine"


def leaving_capacity_holds_no_demand(seen: Witness) -> Iterator[str]:
    """What Ray is said to run at once must fit into the free room of nodes that stay."""
    view = seen.gcs.shown
    if seen.snapshot is None or view is None or seen.gcs.showed_stale or seen.refused_writes:
        return  # nothing was planned for what Ray was seen to have
    promised: Counter[str] = Counter()
    for outcome in seen.snapshot.outcomes:
        if outcome.wait is Wait.RAY and outcome.kind in _OF_ROOM:
            promised.update({n: units * outcome.count for n, units in outcome.resources.items()})
    if not promised:
        return
    room: Counter[str] = Counter()
    for node in view.nodes:
        row = seen.rows.get(node.instance_id)
        if node.status is not NodeStatus.DRAINING and (row is None or row.status not in LEAVING):
            room.update(dict(node.available.items()))
    for name, units in promised.items():
        if units > room[name]:
            yield f"{units / 10_000:g} {name} promised where {room[name] / 10_000:g} stay free"


def failed_calls_are_told(seen: Witness) -> Iterator[str]:
    """A failed call's own words reach the journal or the screen."""
    if seen.refused_writes:
        seen.unheard.clear()  # what cannot be written is asked for again
    if not seen.unheard or seen.snapshot is None or seen.snapshot.trouble:
        return
    said = [f"{e.text}\n{e.detail}" for e in seen.disk.events(60)]
    said += [d.outcome for d in seen.disk.decisions(None, 20)]
    said += [f.message for f in seen.snapshot.failures]
    said += [s.error for s in seen.snapshot.sources]
    text = "\n".join(said)
    for words in list(seen.unheard):
        if words in text:
            del seen.unheard[words]
        else:
            seen.unheard[words] += 1
            if seen.unheard[words] > 3:
                yield f"nobody was told: {words}"


def trouble_is_told(seen: Witness) -> Iterator[str]:
    """A full disk and a silent GCS are on the screen."""
    if seen.snapshot is None:
        return
    if seen.refused_writes and not seen.snapshot.trouble:
        yield "the disk is full and the screen does not say so"
    silent = seen.clock.now < seen.gcs.silent_until
    if silent and all(s.ok for s in seen.snapshot.sources) and not seen.snapshot.trouble:
        yield "GCS is silent and the screen does not say so"


def orders_act_on_their_ids_alone(seen: Witness) -> Iterator[str]:
    """An order ends whom it names, a hold keeps, a pause stops, and all are journaled."""
    held, paused = _held(seen.orders), _paused(seen.orders)
    for decision in seen.new_decisions:
        for removal in decision.plan.removals:
            if removal.reason.why is Why.BY_COMMAND:
                by = removal.reason.args.get("by")
                if not any(removal.instance_id in _ended_by(o) for o in seen.orders if o.by == by):
                    yield f"{removal.instance_id} was ended in the name of {by}, who did not ask"
            elif removal.reason.why in (Why.TAKEN_BACK, Why.DRAINED):
                pass  # who does that asks nobody here
            elif removal.instance_id in held:
                yield f"{removal.instance_id} is held and was to be removed ({removal.reason.why})"
            elif paused:
                yield f"{removal.instance_id} was to be removed while paused"
        if paused and decision.plan.launches:
            yield "something was launched while paused"
    if seen.orders and seen.orders[-1].done and seen.orders[-1].at == seen.clock.now:
        by = seen.orders[-1].by
        times = sum(event.by == by for event in seen.disk.events(50))
        if times != 1:
            yield f"the order of {by} is {times} times in the journal"


def _ended_by(order: Order) -> tuple[str, ...]:
    """Whom an order names to be ended."""
    if isinstance(order.command, Terminate | SweepOrphans):
        return order.command.instance_ids
    return ()


def _held(orders: list[Order]) -> set[str]:
    """Whom a hold keeps for certain."""
    held: set[str] = set()
    for order in orders:
        if order.refused:
            continue
        if isinstance(order.command, HoldNodes) and order.done and not order.command.until:
            held.update(order.command.instance_ids)
        elif isinstance(order.command, ReleaseNodes | Terminate):
            held.difference_update(order.command.instance_ids)
    return held


def _paused(orders: list[Order]) -> bool:
    """Whether the autoscaler is paused for certain."""
    paused = False
    for order in orders:
        if isinstance(order.command, Pause) and order.done:
            paused = True
        elif isinstance(order.command, Resume) and not order.refused:
            paused = False
    return paused


def notices_are_heeded(seen: Witness) -> Iterator[str]:
    """A machine that will be taken back, or drains, is on its way out as soon as one could know."""
    shown, view = seen.snapshot, seen.gcs.shown
    if shown is None or view is None or shown.trouble or shown.paused_by:
        return
    if seen.gcs.showed_stale or seen.refused_writes or not all(s.ok for s in shown.sources):
        return
    told = {n.instance_id for n in view.notices if n.kind is not NoticeKind.REBALANCE}
    working = {
        name
        for name, row in seen.rows.items()
        if row.status in COUNTED - ON_ORDER and not row.quarantined
    }
    seen.unheeded = Counter({name: seen.unheeded[name] + 1 for name in told & working})
    for name, rounds in seen.unheeded.items():
        if rounds > _UNHEEDED_ROUNDS:
            yield f"{name} will be taken back and stays"


def nothing_is_doubled(seen: Witness) -> Iterator[str]:
    """Written down before it is launched; no decision gets more nodes than it says."""
    yield from seen.evidence
    for decision in seen.new_decisions:
        wanted = Counter[str]()
        for launch in decision.plan.launches:
            wanted[launch.node_type] += launch.count
        asked = Counter[str]()
        for request, decision_id in seen.requests.values():
            if decision_id == decision.decision_id:
                asked[request.node_type] += request.count
        for node_type, count in asked.items():
            if count > wanted[node_type]:
                yield f"{wanted[node_type]} {node_type} were decided and {count} asked for"


INVARIANTS: tuple[Callable[[Witness], Iterator[str]], ...] = (
    never_above_max_workers,
    never_the_head_nor_a_busy_node,
    every_instance_has_a_row,
    leaving_capacity_holds_no_demand,
    failed_calls_are_told,
    trouble_is_told,
    orders_act_on_their_ids_alone,
    notices_are_heeded,
    nothing_is_doubled,
)


def check(seen: Witness) -> None:
    """Raise BrokenInvariant for the first that does not hold."""
    for invariant in INVARIANTS:
        for words in invariant(seen):
            raise BrokenInvariant(invariant.__name__, words)
