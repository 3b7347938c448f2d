"""Where tasks and actors could go, in our ways and in Ray's; the best counts.

An attempt changes nothing but its own picture of the room, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raytui.autoscaler.planning import as_ray, together
from raytui.autoscaler.planning.buying import Bought, Wanted
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.fallbacks import buy_in_turn
from raytui.autoscaler.planning.improving import is_small
from raytui.autoscaler.planning.packing import Packing, Placed
from raytui.autoscaler.planning.placing import copies_of
from raytui.model.spec import Expander

Parts = list[tuple[Wanted, Placed]]
"""What goes where on room that exists."""


@dataclass(slots=True)
class Attempt:
    """One answer to where all of the requests go."""

    room: Packing
    """What is left of the existing room."""
    placed: Parts
    asked: list[Wanted]
    """What found no room and nodes are to be bought for."""
    missing: list[Wanted]
    """The same requests, their counts what no node can be bought for either."""
    lots: list[Bought]

    @property
    def unserved(self) -> int:
        """How many requests go nowhere."""
        return sum(want.count for want in self.missing)

    @property
    def rank(self) -> tuple[int, float, int]:
        """Sort key, best first: the fewest unserved, then the cheapest, then the fewest nodes."""
        cost = sum(lot.nodes * lot.supply.cost for lot in self.lots)
        return self.unserved, round(cost, 9), sum(lot.nodes for lot in self.lots)


def best_attempt(
    wanted: Sequence[Wanted], room: Packing, capacity: Capacity, budget: int
) -> Attempt:
    """The best of a few ways to place the requests; uses up `room`, changes nothing else.

    Ours takes shape by shape to the tightest room. Where that used existing room and yet needs new
    nodes, it is tried too to choose both together, if these nodes are few or limited: there another
    order saves one. With too many ways to do that, it is Ray's way that is tried.
    """
    start = room.copy() if wanted and as_ray.is_affordable(room, wanted) else None
    ours = _shape_by_shape(wanted, room, capacity, budget)
    if start is None or not ours.placed or not ours.asked:
        return ours
    by_price = capacity.spec.expander[0] is Expander.PRICE
    if not ours.unserved and not (by_price and is_small(ours.lots)):
        return ours
    other = _together(wanted, start, capacity, budget)
    if other is None:
        other = _node_by_node(wanted, start, capacity, budget)
    if by_price:
        return min(ours, other, key=lambda attempt: attempt.rank)
    return min(ours, other, key=lambda attempt: attempt.unserved)


def _shape_by_shape(
    wanted: Sequence[Wanted], room: Packing, capacity: Capacity, budget: int
) -> Attempt:
    left = copies_of(wanted)
    return _completed(left, room, _tightly(left, room), capacity, budget)


def _together(
    wanted: Sequence[Wanted], room: Packing, capacity: Capacity, budget: int
) -> Attempt | None:
    left = copies_of(wanted)
    placed = together.place(room, left, capacity, budget)
    if placed is None:
        return None
    return _completed(left, room, placed + _tightly(left, room), capacity, budget)


def _tightly(wanted: Sequence[Wanted], room: Packing) -> Parts:
    """Shape by shape to the tightest room; takes from `wanted[].count`."""
    placed: Parts = []
    for want in wanted:
        for part in room.place(want.shape, want.count, want.selectors):
            want.count -= part.count
            placed.append((want, part))
    return placed


def _node_by_node(
    wanted: Sequence[Wanted], room: Packing, capacity: Capacity, budget: int
) -> Attempt:
    left = copies_of(wanted)
    placed = as_ray.place(room, left, capacity.room_of)
    return _completed(left, room, placed, capacity, budget)


def _completed(
    left: Sequence[Wanted], room: Packing, placed: Parts, capacity: Capacity, budget: int
) -> Attempt:
    """Buy nodes for what found no room."""
    missing = [want for want in copies_of(left) if want.count]
    asked = copies_of(missing)
    lots = buy_in_turn(missing, capacity, budget) if missing else []
    return Attempt(room, placed, asked, missing, lots)
