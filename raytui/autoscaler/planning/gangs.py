"""Placement groups: each as a whole or not at all.

What a group finds no room for is bought as cheaply as it can be; only then is it laid on all the
room there is, the new nodes included. So a wish of PACK or SPREAD never buys a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from raytui.autoscaler.planning.bundles import conditions_of, selectors_of
from raytui.autoscaler.planning.buying import Bought, Wanted, buy_shared, buy_spread
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.dealing import dealt, pooled
from raytui.autoscaler.planning.fallbacks import buy_in_turn
from raytui.autoscaler.planning.judging import over_budget, why_not
from raytui.autoscaler.planning.laying import Layout, Parts, lay
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

MANY = 8
"""From so many equal groups on, those that need new nodes get them in common: one node more or
less, or a wish of PACK or SPREAD, matters little then, and they cost as much as one."""


class Aim(Enum):
    """What matters most where groups need new nodes."""

    CHEAP = "the cheapest nodes"
    LARGE = "the nodes that take most, so that others find room beside the group"
    TIGHT = "the cheapest nodes, filled as tightly as can be: no wishes of PACK and SPREAD"


@dataclass(frozen=True, slots=True)
class Found:
    """Where a group can go."""

    group: Group
    """The group, by the way that it goes."""
    parts: Parts
    room: Packing
    """All room when the group is there."""
    fresh: Fresh = field(default_factory=list)
    asked: Sequence[Wanted] = ()
    """What nodes are bought for."""


def place_gangs(placing: Placing, gangs: Iterable[Gang], aim: Aim = Aim.CHEAP) -> None:
    """Placement groups, each as a whole or not at all, hardest first. Not throttled."""
    alike: dict[str, list[Group]] = {}
    for group in groups_of(placing, gangs):
        alike.setdefault(group.kind, []).append(group)
    for same in alike.values():
        # Always in the same order, so that groups for which room was kept meanwhile, and those
        # that need none, find on the other nodes what they found there before.
        waiting: list[Group] = []
        for group in same:
            if group.kept:
                _place(placing, group, aim)
            elif waiting or not _fits(placing, group, aim):
                waiting.append(group)
        _place_alike(placing, waiting, aim)


def _fits(placing: Placing, group: Group, aim: Aim) -> bool:
    """Place a group if all of it finds room that is there."""
    found, _ = _laid(group, placing.room, aim)
    if found is not None:
        _carry_out(placing, found)
        _settle(placing, found.group, found.parts)
    return found is not None


def _place_alike(placing: Placing, alike: list[Group], aim: Aim) -> None:
    """Equal groups, the first of which needs new nodes: one by one, or in common."""
    if len(alike) > 1 and aim is not Aim.LARGE and _is_uniform_spread(alike[0]):
        alike = _spread_alike(placing, alike)
    refusal: Reason | None = None
    in_common = len(alike) >= MANY and _is_poolable(alike[0])
    for index, group in enumerate(alike):
        if refusal is not None:
            # Nothing has changed since one like it was refused.
            _tell(placing, group, wait_for(refusal), refusal)
            continue
        found = _place(placing, group, aim)
        if isinstance(found, Reason):
            refusal = found
        elif in_common and all(part.stage is Stage.NEW for _, part in found.parts):
            left = _pool(placing, alike[index + 1 :], aim)
            _place_alike(placing, left, aim)
            return


def _place(placing: Placing, group: Group, aim: Aim) -> Found | Reason:
    """Place one group, or tell why there is no way to."""
    found = _seek(placing, group, placing.room, aim)
    if isinstance(found, Found):
        _carry_out(placing, found)
        _settle(placing, found.group, found.parts + group.kept)
    elif group.kept:
        return _place(placing, group.release(placing.room), aim)
    else:
        _tell(placing, group, wait_for(found), found)
    return found


def _seek(placing: Placing, group: Group, room: Packing, aim: Aim) -> Found | Reason:
    """Where a group can go: room that is there, by any of its ways, or else new nodes.

    As for tasks, the first way that can be had counts: none waits for a better one that cannot.
    """
    whole, laid = _laid(group, room, aim)
    if whole is not None:
        return whole
    refusals = []
    for one, layout, left in laid:
        asked = copies_of(layout.missing)
        bought = _buy(placing.capacity, one, layout.missing, aim)
        unmet = next((want for want in layout.missing if want.count), None)
        if unmet is None:
            fresh = _named(placing, bought)
            together = _laid_on_all(placing, one, room, fresh) if aim is not Aim.TIGHT else None
            parts, left = together or _as_bought(layout.parts, left, fresh)
            return Found(one, parts, left, fresh, asked)
        refusals.append(_why_not(placing.capacity, one, asked, unmet))
    return next((why for why in refusals if wait_for(why) is Wait.BLOCKED), refusals[0])


def _laid(
    group: Group, room: Packing, aim: Aim
) -> tuple[Found | None, list[tuple[Group, Layout, Packing]]]:
    """A group on room that is there, by the first way that leaves nothing out; or all ways."""
    laid: list[tuple[Group, Layout, Packing]] = []
    for one in group.tries():
        wishes = aim is not Aim.TIGHT
        layout, left = lay(one.strategy, one.rest, room, one.avoided, wishes=wishes)
        if not layout.missing:
            return Found(one, layout.parts, left), []
        laid.append((one, layout, left))
    return None, laid


def _carry_out(placing: Placing, found: Found, more: int = 0) -> None:
    """Take the room, and launch what was bought, for a group and so many more like it."""
    placing.room = found.room
    if found.fresh:
        placing.note(found.asked)
        _launch(placing, found.fresh, found.group, more)


def _is_poolable(group: Group) -> bool:
    """Whether parts that many such groups got in common can be dealt out by their shapes alone."""
    shapes = {bundle.resources for bundle, _ in group.bundles}
    strict = group.strategy is Strategy.STRICT_SPREAD
    return (
        not strict and not group.taken and len(group.ways) == 1 and len(shapes) == len(group.rest)
    )


def _pool(placing: Placing, alike: list[Group], aim: Aim) -> list[Group]:
    """Place equal groups on new nodes in common; returns those for which that is not possible.

    As many as can be in one go: where the limits do not allow all of them, half of them, and so on.
    """
    if len(alike) < MANY:
        return alike
    new, there = placing.room.parted(Stage.NEW)
    whole = pooled(alike[0], len(alike))
    found = _seek(placing, whole, new, aim)
    if isinstance(found, Reason):
        half = len(alike) // 2
        left = _pool(placing, alike[:half], aim)
        return left + alike[half:] if left else _pool(placing, alike[half:], aim)
    _carry_out(placing, replace(found, group=alike[0]), len(alike) - 1)
    placing.room.join(there)
    for group, parts in zip(alike, dealt(alike[0], found.parts, len(alike)), strict=True):
        _settle(placing, group, parts)
    return []


def _is_uniform_spread(group: Group) -> bool:
    """STRICT_SPREAD of equal bundles, none of which is placed, and in one way only."""
    alone = len(group.ways) == 1 and not group.gang.placed_on
    return alone and len(group.bundles) == 1 and group.strategy is Strategy.STRICT_SPREAD


def _spread_alike(placing: Placing, alike: list[Group]) -> list[Group]:
    """Many equal STRICT_SPREAD groups together, so that they share nodes; returns the rest.

    The first is for the caller: it may use up the last existing nodes.
    """
    ((bundle, size),) = alike[0].bundles
    together = alike[1:]
    chosen = selectors_of(bundle)
    want = Wanted(bundle.resources, size * len(together), chosen)
    supplies = placing.capacity.supplies()
    want.settle(supplies)
    asked = copies_of([want])
    lots = buy_shared(want, supplies, placing.capacity.total_left(), len(together), size)
    if not lots or exceeds(cost(lots), placing.capacity.money_left()):
        return alike
    placing.note(asked)
    fresh = _named(placing, lots)
    _fill(placing.room, fresh)
    _launch(placing, fresh, together[0], len(together) - 1)
    ids = [node_id for _, names in fresh for node_id in names]
    node_type = lots[0].supply.node_type
    for index, group in enumerate(together):
        # Dealt out in turn: no node gets two bundles of a group, none more than its share.
        dealt_ids = [ids[(index * size + i) % len(ids)] for i in range(size)]
        part = Placed(Stage.NEW, node_type, size, dealt_ids)
        _settle(placing, group, [(bundle.resources, part)])
    return alike[:1]


def _buy(
    capacity: Capacity, group: Group, missing: Sequence[Wanted], aim: Aim = Aim.CHEAP
) -> list[Bought]:
    if group.strategy is Strategy.STRICT_PACK and group.taken:
        return []
    large = aim is Aim.LARGE
    if group.strategy is not Strategy.STRICT_SPREAD:
        return buy_in_turn(missing, capacity, prefer=(Expander.FEWEST_NODES,) if large else ())
    supplies = capacity.supplies()
    for want in missing:
        want.settle(supplies)
    bought = buy_spread(missing, supplies, capacity.total_left(), large=large)
    return paid(bought, capacity.money_left())


def _named(placing: Placing, bought: Iterable[Bought]) -> Fresh:
    return [(lot, placing.new_ids(lot.nodes)) for lot in bought]


def _laid_on_all(
    placing: Placing, group: Group, room: Packing, fresh: Fresh
) -> tuple[Parts, Packing] | None:
    """The group on existing and new room together; None when a new node were left unused."""
    if group.strategy not in (Strategy.PACK, Strategy.SPREAD):
        return None
    room = room.copy()
    for lot, ids in fresh:
        placing.capacity.add_empty(room, Stage.NEW, lot.supply.node_type, ids)
    layout, room = lay(group.strategy, group.rest, room, group.avoided)
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
    placing.launch_known(by_type, reason_for(group, more))


def _settle(placing: Placing, group: Group, parts: Parts) -> None:
    """Tell where a group goes that has all its room, and what nodes hold for it."""
    placed = [part for _, part in parts]
    stage = max((part.stage for part in placed), default=Stage.RUNNING)
    if stage is Stage.NEW:
        reason = reason_for(group)
    else:
        reason = _by_way(placing.where(stage, placed), group)
    _tell(placing, group, WAITS[stage], reason)
    expected = because(Why.EXPECTED, shape=group.label)
    for shape, part in parts:
        placing.expect([part], expected, Share(shape, 1, group.key))


def _tell(placing: Placing, group: Group, wait: Wait, reason: Reason) -> None:
    shape, chosen = group.total, conditions_of(bundle for bundle, _ in group.bundles)
    placing.outcome(Request.GANG, wait, 1, reason, shape, group.label, selectors=chosen)


def reason_for(group: Group, more: int = 0) -> Reason:
    """Why nodes are launched for a group, and for so many more like it."""
    text = f"{group.label} and {more} like it" if more else group.label
    return _by_way(because(Why.FOR_GANG, gang=text, strategy=group.gang.strategy.value), group)


def _by_way(reason: Reason, group: Group) -> Reason:
    """The reason, and which of its fallbacks the group goes by, if one."""
    return Reason(reason.why, {**reason.args, "fallback": group.way}) if group.way else reason


def _why_not(capacity: Capacity, group: Group, asked: Sequence[Wanted], unmet: Wanted) -> Reason:
    if group.strategy is Strategy.STRICT_PACK and group.taken:
        return because(Why.GANG_BOUND, strategy=group.strategy.value, node=min(group.taken))
    price = _price(capacity, group, asked)
    if exceeds(price, capacity.money_left()):
        return over_budget(capacity, price)
    reason = why_not(unmet, capacity, throttled=False)
    if group.strategy is Strategy.STRICT_SPREAD and reason.why is Why.MAX_WORKERS_TYPE:
        return because(
            Why.GANG_TOO_FEW_NODES,
            strategy=group.strategy.value,
            wanted=group.size,
            possible=group.size - unmet.count,
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
