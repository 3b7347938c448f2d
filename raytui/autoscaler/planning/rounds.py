"""Place groups and tasks in more than one way where that may serve more, or cost less.

Placement groups come first, and what is cheapest for them alone may be dear for all: three small
nodes use up a limit that one large one, with room for tasks beside the group, would not. So where
limits bind, or the nodes are few, it is also tried to buy large nodes for the groups, to forget
what PACK and SPREAD merely wish, and to choose nodes for all requests together. The best way
counts: most groups, then most tasks, then least cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from raytui.autoscaler.planning.buying import NODE_CHARGE, Wanted
from raytui.autoscaler.planning.demands import Promised, place_demands, unpromised
from raytui.autoscaler.planning.fallbacks import buy_in_turn
from raytui.autoscaler.planning.gangs import Aim, place_gangs, reason_for
from raytui.autoscaler.planning.laying import lay
from raytui.autoscaler.planning.placing import Placing, copies_of, merged
from raytui.autoscaler.planning.reserved import groups_of
from raytui.model.plan import Request, Wait
from raytui.model.reason import Why
from raytui.model.spec import Expander
from raytui.model.state import Demand, Gang

MOST_GROUPS = 40
"""Placement groups up to which other ways are tried; with many, one more node matters little."""
MOST_NODES = 40
"""New nodes up to which a cheaper way is looked for where everything is served."""

_LIMITS = (Why.MAX_WORKERS_TYPE, Why.MAX_WORKERS_GLOBAL, Why.GANG_TOO_FEW_NODES, Why.BUDGET)


def place_all(
    placing: Placing, gangs: Sequence[Gang], demands: Sequence[Demand], promised: Promised
) -> None:
    """Placement groups, then tasks and actors, in the best of a few ways."""
    if not gangs:
        place_demands(placing, demands, promised)
        return
    ways = [_groups_first(placing, gangs, Aim.CHEAP)]
    place_demands(ways[0], demands, promised)
    if len(gangs) <= MOST_GROUPS and _worth_another(ways[0]):
        others = [
            _groups_first(placing, gangs, Aim.LARGE),
            _groups_first(placing, gangs, Aim.TIGHT),
            _groups_with(placing, gangs, demands, promised),
        ]
        for way in others:
            if way is not None:
                place_demands(way, demands, promised)
                ways.append(way)
    placing.become(min(ways, key=_rank))


def _groups_first(placing: Placing, gangs: Sequence[Gang], aim: Aim) -> Placing:
    way = placing.copy()
    place_gangs(way, gangs, aim)
    return way


def _groups_with(
    placing: Placing, gangs: Sequence[Gang], demands: Sequence[Demand], promised: Promised
) -> Placing | None:
    """The nodes that are best for all requests together, of these the ones that groups are on.

    None when the groups then leave one of the nodes empty.
    """
    sketch, way = placing.copy(), placing.copy()
    missing: list[Wanted] = []
    groups = groups_of(sketch, gangs)
    for group in groups:
        layout, sketch.room = lay(group.strategy, group.rest, sketch.room, group.avoided)
        missing += layout.missing
    for_groups = merged(missing)
    for_tasks = unpromised(demands, promised)
    for want in for_tasks:
        parts = sketch.room.place(want.shape, want.count, want.selectors)
        want.count -= sum(part.count for part in parts)
    asked = copies_of(for_groups)
    wanted = [want for want in (*for_groups, *for_tasks) if want.count]
    known = {id(want) for want in for_groups}
    lots = buy_in_turn(wanted, placing.capacity, placing.budget)
    chosen = [lot for lot in lots if any(id(want) in known for want, _ in lot.pattern)]
    if not chosen:
        return None
    way.note(asked)
    reason = reason_for(min(groups, key=lambda group: (-group.size, group.gang.gang_id)))
    nodes: Counter[str] = Counter()
    for lot in chosen:
        nodes[lot.supply.node_type] += lot.nodes
    new = [node_id for name, n in nodes.items() for node_id in way.launch_empty(name, n, reason)]
    place_gangs(way, gangs)
    return way if way.all_used(new) else None


def _worth_another(way: Placing) -> bool:
    by_price = way.capacity.spec.expander[0] is Expander.PRICE
    few = 0 < way.new_nodes <= MOST_NODES
    limited = any(o.wait is Wait.BLOCKED and o.reason.why in _LIMITS for o in way.outcomes)
    return limited or (by_price and few)


def _rank(way: Placing) -> tuple[float, ...]:
    """Sort key, best first. Where price does not decide, no cheaper way is looked for."""
    left: Counter[Request] = Counter()
    for outcome in way.outcomes:
        if outcome.wait in (Wait.BLOCKED, Wait.INFEASIBLE):
            left[outcome.kind] += outcome.count
    unserved = (left[Request.GANG], left[Request.DEMAND])
    if way.capacity.spec.expander[0] is not Expander.PRICE:
        return unserved
    nodes = way.new_nodes
    return (*unserved, round(way.cost_per_hour + nodes * NODE_CHARGE, 9), nodes)
