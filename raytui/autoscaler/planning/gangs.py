"""Placement groups: each as a whole or not at all.

What a group finds no room for is bought as cheaply as it can be; only then is it laid on all the
room there is, the new nodes included. So a wish of PACK or SPREAD never buys a node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum

from raytui.autoscaler.planning.bundles import conditions_of, selectors_of, total_of
from raytui.autoscaler.planning.buying import Bought, Wanted, buy_shared, buy_spread
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.fallbacks import buy_in_turn
from raytui.autoscaler.planning.judging import over_budget, why_not
from raytui.autoscaler.planning.laying import Parts, lay
from raytui.autoscaler.planning.money import cost, exceeds, paid
from raytui.autoscaler.planning.packing import Packing, Placed, Stage
from raytui.autoscaler.planning.placing import WAITS, Placing, copies_of, wait_for
from raytui.autoscaler.planning.reserved import Group, groups_of
from raytui.model.plan import Request, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.spec import Expander
from raytui.model.state import Gang, Share, Strategy

Fresh = list[tuple[Bought, list[str]]]
"""What is to be launched, and names for the nodes."""


class Aim(Enum):
    """What matters most where groups need new nodes."""

    CHEAP = "the cheapest nodes"
    LARGE = "the nodes that take most, so that others find room beside the group"
    TIGHT = "the cheapest nodes, filled as tightly as can be: no wishes of PACK and SPREAD"


def place_gangs(placing: Placing, gangs: Iterable[Gang], aim: Aim = Aim.CHEAP) -> None:
    """Placement groups, each as a whole or not at all, hardest first. Not throttled."""
    alike: dict[str, list[Group]] = {}
    for group in groups_of(placing, gangs):
        alike.setdefault(group.kind, []).append(group)
    for same in alike.values():
        known = [group for group in same if group.kept]
        fresh = [group for group in same if not group.kept]
        if len(fresh) > 1 and aim is not Aim.LARGE and _is_uniform_spread(fresh[0].gang):
            fresh = _spread_alike(placing, fresh)
        for group in known + fresh:
            _place(placing, group, aim)


def _is_uniform_spread(gang: Gang) -> bool:
    """STRICT_SPREAD of equal bundles, none of which is placed."""
    alike = len(set(gang.bundles)) == 1 and not gang.placed_on
    return alike and gang.strategy is Strategy.STRICT_SPREAD


def _spread_alike(placing: Placing, alike: list[Group]) -> list[Group]:
    """Many equal STRICT_SPREAD groups together, so that they share nodes; returns the rest.

    First those that find enough nodes with room; of what is left, the first is for the caller
    (it may use up the last existing nodes), and the others get new nodes in common.
    """
    bundle, size = alike[0].gang.bundles[0], len(alike[0].gang.bundles)
    chosen = selectors_of(bundle)
    waiting: list[Group] = []
    for group in alike:
        if waiting or placing.room.count_nodes(bundle.resources, chosen) < size:
            waiting.append(group)
            continue
        parts = placing.room.place(bundle.resources, size, chosen, one_per_node=True)
        _settled(placing, group, [(bundle.resources, part) for part in parts])
    together = waiting[1:]
    if not together:
        return waiting
    want = Wanted(bundle.resources, size * len(together), chosen)
    supplies = placing.capacity.supplies()
    want.settle(supplies)
    asked = copies_of([want])
    lots = buy_shared(want, supplies, placing.capacity.total_left(), len(together), size)
    if not lots or exceeds(cost(lots), placing.capacity.money_left()):
        return waiting
    placing.note(asked)
    fresh = _named(placing, lots)
    _fill(placing.room, fresh)
    _launch(placing, fresh, together[0], len(together) - 1)
    ids = [node_id for _, names in fresh for node_id in names]
    node_type = lots[0].supply.node_type
    for index, group in enumerate(together):
        # Dealt out in turn: no node gets two bundles of a group, none more than its share.
        dealt = [ids[(index * size + i) % len(ids)] for i in range(size)]
        parts = [Placed(Stage.NEW, node_type, size, dealt)]
        _expect(placing, group, [(bundle.resources, part) for part in parts])
        _tell(placing, group, Wait.LAUNCH, reason_for(together[0].gang, len(together) - 1))
    return waiting[:1]


def _place(placing: Placing, group: Group, aim: Aim) -> None:
    strategy = group.gang.strategy
    wishes = aim is not Aim.TIGHT
    layout, room = lay(strategy, group.rest, placing.room, group.avoided, wishes=wishes)
    if not layout.missing:
        placing.room = room
        _settled(placing, group, layout.parts + group.kept)
        return
    asked = copies_of(layout.missing)
    bought = _buy(placing.capacity, group, layout.missing, aim)
    unmet = next((want for want in layout.missing if want.count), None)
    if unmet is not None:
        free = group.release(placing.room)
        if group.kept:
            _place(placing, free, aim)
        else:
            blocked = _why_not(placing.capacity, group, asked, unmet)
            _tell(placing, group, wait_for(blocked), blocked)
        return
    placing.note(asked)
    fresh = _named(placing, bought)
    together = _laid_on_all(placing, group, fresh) if wishes else None
    parts, placing.room = together or _as_bought(layout.parts, room, fresh)
    _launch(placing, fresh, group)
    _tell(placing, group, Wait.LAUNCH, reason_for(group.gang))
    _expect(placing, group, parts + group.kept)


def _buy(
    capacity: Capacity, group: Group, missing: Sequence[Wanted], aim: Aim = Aim.CHEAP
) -> list[Bought]:
    if group.gang.strategy is Strategy.STRICT_PACK and group.taken:
        return []
    large = aim is Aim.LARGE
    if group.gang.strategy is not Strategy.STRICT_SPREAD:
        return buy_in_turn(missing, capacity, prefer=(Expander.FEWEST_NODES,) if large else ())
    supplies = capacity.supplies()
    for want in missing:
        want.settle(supplies)
    bought = buy_spread(missing, supplies, capacity.total_left(), large=large)
    return paid(bought, capacity.money_left())


def _named(placing: Placing, bought: Iterable[Bought]) -> Fresh:
    return [(lot, placing.new_ids(lot.nodes)) for lot in bought]


def _laid_on_all(placing: Placing, group: Group, fresh: Fresh) -> tuple[Parts, Packing] | None:
    """The group on existing and new room together; None when a new node were left unused."""
    if group.gang.strategy not in (Strategy.PACK, Strategy.SPREAD):
        return None
    room = placing.room.copy()
    for lot, ids in fresh:
        placing.capacity.add_empty(room, Stage.NEW, lot.supply.node_type, ids)
    layout, room = lay(group.gang.strategy, group.rest, room, group.avoided)
    used = {node_id for _, part in layout.parts for node_id in part.ids}
    new = {node_id for _, ids in fresh for node_id in ids}
    return None if layout.missing or not new <= used else (layout.parts, room)


def _as_bought(parts: Parts, room: Packing, fresh: Fresh) -> tuple[Parts, Packing]:
    return parts + _fill(room, fresh), room


def _fill(room: Packing, fresh: Fresh) -> Parts:
    """Add new nodes that hold what they were bought for; what they have left is for others."""
    parts: Parts = []
    for lot, ids in fresh:
        supply, left = lot.supply, lot.supply.room
        for want, copies in lot.pattern:
            left = left - want.shape * copies
            part = Placed(Stage.NEW, supply.node_type, copies * lot.nodes, ids, copies)
            parts.append((want.shape, part))
        has_gpu = "GPU" in supply.room
        room.add(Stage.NEW, supply.node_type, left, supply.labels, ids, has_gpu=has_gpu)
    return parts


def _launch(placing: Placing, fresh: Fresh, group: Group, more: int = 0) -> None:
    by_type: dict[str, list[str]] = {}
    for lot, ids in fresh:
        by_type.setdefault(lot.supply.node_type, []).extend(ids)
    placing.launch_known(by_type, reason_for(group.gang, more))


def _settled(placing: Placing, group: Group, parts: Parts) -> None:
    """Tell where a group goes that found all its room."""
    placed = [part for _, part in parts]
    stage = max((part.stage for part in placed), default=Stage.RUNNING)
    reason = reason_for(group.gang) if stage is Stage.NEW else placing.where(stage, placed)
    _tell(placing, group, WAITS[stage], reason)
    _expect(placing, group, parts)


def _expect(placing: Placing, group: Group, parts: Parts) -> None:
    reason = because(Why.EXPECTED, shape=gang_label(group.gang))
    for shape, part in parts:
        placing.expect([part], reason, Share(shape, 1, group.key))


def _tell(placing: Placing, group: Group, wait: Wait, reason: Reason) -> None:
    gang = group.gang
    shape = total_of(bundle.resources for bundle in gang.bundles)
    label, chosen = gang_label(gang), conditions_of(gang.bundles)
    placing.outcome(Request.GANG, wait, 1, reason, shape, label, selectors=chosen)


def reason_for(gang: Gang, more: int = 0) -> Reason:
    """Why nodes are launched for a group, and for so many more like it."""
    label = gang_label(gang)
    text = f"{label} and {more} like it" if more else label
    return because(Why.FOR_GANG, gang=text, strategy=gang.strategy.value)


def _why_not(capacity: Capacity, group: Group, asked: Sequence[Wanted], unmet: Wanted) -> Reason:
    gang = group.gang
    if gang.strategy is Strategy.STRICT_PACK and group.taken:
        return because(Why.GANG_BOUND, strategy=gang.strategy.value, node=min(group.taken))
    price = _price(capacity, group, asked)
    if exceeds(price, capacity.money_left()):
        return over_budget(capacity, price)
    reason = why_not(unmet, capacity, throttled=False)
    if gang.strategy is Strategy.STRICT_SPREAD and reason.why is Why.MAX_WORKERS_TYPE:
        return because(
            Why.GANG_TOO_FEW_NODES,
            strategy=gang.strategy.value,
            wanted=len(gang.bundles),
            possible=len(gang.bundles) - unmet.count,
            node_type=reason.args["node_type"],
        )
    return reason


def _price(capacity: Capacity, group: Group, asked: Sequence[Wanted]) -> float:
    """USD per hour of what a group lacks; 0 when no money could buy it, or money is no matter."""
    if capacity.spec.budget_per_hour is None:
        return 0.0
    wanted = copies_of(asked)
    bought = _buy(capacity.without_budget(), group, wanted)
    return 0.0 if any(want.count for want in wanted) else cost(bought)


def gang_label(gang: Gang) -> str:
    """How people name a placement group: `PG 4f2a10 STRICT_SPREAD 4 × {GPU: 1}`."""
    shapes = Counter(bundle.resources.text() for bundle in gang.bundles)
    text = " + ".join(f"{count} × {shape}" for shape, count in sorted(shapes.items()))
    return f"PG {gang.gang_id[:6]} {gang.strategy.value} {text}".replace("  ", " ")
