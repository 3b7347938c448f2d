"""Buy for requests with fallbacks: the first label selector that can be had, then the next."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.autoscaler.planning.buying import Bought, Wanted
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.improving import purchase
from raytui.autoscaler.planning.money import cost, limit_to, paid
from raytui.model.spec import Expander


def buy_in_turn(
    wanted: Sequence[Wanted],
    capacity: Capacity,
    budget: int = 0,
    prefer: tuple[Expander, ...] = (),
) -> list[Bought]:
    """Buy for the first label selector of each request that can be had; then for fallbacks.

    Takes from `wanted[].count`. `budget` is in rounds of improvement. `prefer` are policies before
    the spec's own. Where money is short, it is spent on what comes first, and what is left of it on
    what it still pays for.
    """
    supplies = capacity.supplies()
    expander = prefer + capacity.spec.expander
    total, money = capacity.total_left(), capacity.money_left()
    choices = [want.selectors for want in wanted]
    lots: list[Bought] = []
    while True:
        for want in wanted:
            want.settle(supplies)
        chosen = purchase(wanted, supplies, total, expander, budget)
        fresh = paid(chosen, money)
        short = cost(fresh) < cost(chosen)
        lots += fresh
        total -= sum(lot.nodes for lot in fresh)
        money -= cost(fresh)
        limit_to(supplies, money)
        for want, selectors in zip(wanted, choices, strict=True):
            want.selectors = selectors if want.count else want.selectors
        more = any(want.count and (short or len(want.selectors) > 1) for want in wanted)
        if not fresh or not more:
            return lots
