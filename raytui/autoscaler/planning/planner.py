"""`plan()`: what to launch and what to remove now, with a reason for everything.

A pure function of its arguments. The order is Ray's: limits, floors, request_resources, placement
groups, tasks and actors, what runs on nodes that are taken back, idle nodes.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.demands import keep_promises, place_demands
from raytui.autoscaler.planning.floors import floors_held_back, place_floors
from raytui.autoscaler.planning.orphans import swept
from raytui.autoscaler.planning.placing import Placing
from raytui.autoscaler.planning.removing import Removing
from raytui.autoscaler.planning.requested import place_constraints
from raytui.autoscaler.planning.rounds import place_all
from raytui.autoscaler.planning.taken_back import work_to_replace
from raytui.model.plan import Memory, Outcome, Plan, Request, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState

OVER_LIMIT_DRAIN_S = 600.0
"""How long a busy node may finish its work that is above a lowered limit, or at risk."""
MOST_WORKERS = 1_000_000
"""No larger cluster is planned, whatever a file that means "no limit" says: new nodes that hold
a placement group, or wait for others, cost memory each."""

DEFAULT_BUDGET = 24
"""Rounds of improvement: some 200 ms where thousands of requests of twenty shapes wait."""


def plan(
    state: ClusterState,
    spec: ClusterSpec,
    memory: Memory,
    now: float,
    budget: int = DEFAULT_BUDGET,
) -> Plan:
    """Decide what to do about `state`.

    `now` is unix seconds. The same arguments always give the same plan; nothing is changed.
    `budget` is how hard to look for something cheaper than the first good plan, counted in rounds
    and not in seconds; 0 does not look, and tells no lower bound.
    While the autoscaler only watches, is paused, or a source of facts could not be read, the plan
    explains but does not act: what is not known is not zero.
    """
    spec = replace(spec, max_workers=min(spec.max_workers, MOST_WORKERS))
    blocked = _blocked(state, memory, now)
    replaced = work_to_replace(state.members, spec, memory, now)
    asked = replace(state, demands=(*state.demands, *replaced))
    capacity = Capacity(asked, spec, memory, now)
    removing = Removing(capacity, memory, now)
    taken_back = removing.taken_back()
    capacity.give_up(removal.instance_id for removal in taken_back)
    drained_at = now + (spec.removal.drain_deadline_s or OVER_LIMIT_DRAIN_S)
    over_limit = removing.over_limit(drained_at)
    capacity.give_up(removal.instance_id for removal in over_limit)

    placing = Placing(capacity, memory, now, budget)
    promised = keep_promises(placing, state.demands)
    promised_again = keep_promises(placing, replaced)
    place_floors(placing)
    place_constraints(placing, state.constraints)
    place_all(placing, state.gangs, state.demands, promised)
    place_demands(placing, replaced, promised_again, Request.REPLACEMENT)

    removals = taken_back + over_limit + removing.at_risk(placing.outcomes, drained_at)
    removals += removing.idle(placing.needed)
    removals += swept(capacity.members.values(), spec, memory, now)
    kept = removing.kept(placing.needed, removals)
    if blocked is not None:
        floors = floors_held_back(placing, blocked)
        return Plan(outcomes=(*_held_back(placing.outcomes, blocked), *floors), kept=kept)
    return Plan(
        launches=tuple(placing.launches),
        removals=removals,
        outcomes=tuple(placing.outcomes),
        kept=kept,
        verdicts=tuple(placing.verdicts),
        cost_per_hour=placing.cost_per_hour,
        lower_bound_per_hour=placing.lower_bound_per_hour,
    )


def _blocked(state: ClusterState, memory: Memory, now: float) -> Reason | None:
    if state.watch_only:
        return because(Why.WATCHED, cause=state.watch_only)
    if memory.paused_by:
        return because(Why.PAUSED, by=memory.paused_by)
    for source in state.sources:
        if source.doubt:
            return because(Why.DOUBTED, source=source.name, doubt=source.doubt)
        if not source.ok:
            since = source.last_ok_at or now
            return because(Why.NOT_OBSERVED, source=source.name, since=since)
    return None


def _held_back(outcomes: Iterable[Outcome], blocked: Reason) -> tuple[Outcome, ...]:
    """The same outcomes when nothing may be launched: what would be launched or follow later."""
    held: dict[tuple[object, ...], Outcome] = {}
    others = []
    for outcome in outcomes:
        if outcome.wait is not Wait.LAUNCH and outcome.reason.why is not Why.UPSCALING_SPEED:
            others.append(outcome)
            continue
        key = (outcome.kind, outcome.label, outcome.selectors)
        count = outcome.count + (held[key].count if key in held else 0)
        held[key] = replace(outcome, wait=Wait.BLOCKED, count=count, reason=blocked, node_type="")
    return (*others, *held.values())
