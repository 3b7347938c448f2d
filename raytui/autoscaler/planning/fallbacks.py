"""Buy for requests with fallbacks: the first label selector that can be had, then the next."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.autoscaler.planning.buying import Bought, Wanted
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.improving import purchase


def buy_in_turn(wanted: Sequence[Wanted], capacity: Capacity, budget: int = 0) -> list[Bought]:
    """Buy for the first label selector of each request that can be had; then for fallbacks.

    Takes from `wanted[].count`. `budget` is in rounds of improvement.
    """
    supplies = capacity.supplies()
    expander = capacity.spec.expander
    total = capacity.total_left()
    choices = [want.selectors for want in wanted]
    lots: list[Bought] = []
    while True:
        for want in wanted:
            want.settle(supplies)
        fresh = purchase(wanted, supplies, total, expander, budget)
        lots += fresh
        total -= sum(lot.nodes for lot in fresh)
        for want, selectors in zip(wanted, choices, strict=True):
            want.selectors = selectors if want.count else want.selectors
        if not fresh or not any(want.count and len(want.selectors) > 1 for want in wanted):
            return lots
