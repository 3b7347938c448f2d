"""Weigh every node type: what is launched of it, or what it would have cost and why it was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from raytui.autoscaler.planning.buying import (
    NODE_CHARGE,
    Supply,
    Wanted,
    hardest_first,
    nodes_alone,
)
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.judging import backing_off, selectors_text
from raytui.model.plan import Verdict
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import Resources

_MOST_LACKS = 3
"""How many of the things that a type lacks are named."""


@dataclass(slots=True)
class Use:
    """Nodes of one type, and what runs on them."""

    nodes: int = 0
    requests: int = 0
    units: Counter[str] = field(default_factory=Counter)

    def add(self, nodes: int, holding: Iterable[tuple[Resources, int]]) -> None:
        """So many nodes more, each for so many requests of these shapes."""
        self.nodes += nodes
        for shape, count in holding:
            self.requests += count * nodes
            for name, units in shape.items():
                self.units[name] += units * count * nodes

    def verdict(self, supply: Supply, fits: int, *, chosen: bool, reason: Reason) -> Verdict:
        """Price and waste of these nodes."""
        price = self.nodes * supply.price
        rooms = {name: supply.room.units(name) * self.nodes for name in self.units}
        shares = [self.units[name] / room for name, room in rooms.items() if room]
        return Verdict(
            node_type=supply.node_type,
            chosen=chosen,
            reason=reason,
            fits=fits,
            nodes=self.nodes,
            price_per_hour=price if self.nodes else None,
            price_per_request=price / self.requests if self.requests else None,
            waste=max(0.0, 1 - max(shares, default=float(not self.nodes))),
        )


def judge(
    wanted: Sequence[Wanted], capacity: Capacity, launched: Mapping[str, Use]
) -> tuple[Verdict, ...]:
    """What every worker type means for `wanted`: what is launched of it, or what it alone would be.

    Types are compared as if each had to take all that fits on it alone.
    """
    order = hardest_first(wanted)
    catalogue = capacity.catalogue()
    alone = {supply.node_type: _alone(supply, order) for supply in catalogue}
    prices = {
        supply.node_type: supply.price * use.nodes / use.requests
        for supply in catalogue
        if (use := alone[supply.node_type]).requests
    }
    verdicts = []
    for supply in catalogue:
        taken, use = launched.get(supply.node_type), alone[supply.node_type]
        if taken is not None:
            reason = _why_taken(supply, prices)
        else:
            reason = _why_not_taken(supply, prices, order, capacity)
        shown, chosen = taken or use, taken is not None
        verdicts.append(shown.verdict(supply, use.requests, chosen=chosen, reason=reason))
    return tuple(sorted(verdicts, key=lambda v: (not v.chosen, not v.fits)))


def _alone(supply: Supply, order: Sequence[Wanted]) -> Use:
    """The nodes there would be if all that fits had to run on this type."""
    fitting = [want for want in order if supply.fits(want)]
    use = Use()
    use.add(1, ((want.shape, want.count) for want in fitting))
    use.nodes = nodes_alone(supply, fitting)
    return use


def _why_taken(supply: Supply, prices: Mapping[str, float]) -> Reason:
    """`prices`: USD per hour and request of every type that something fits on."""
    if len(prices) == 1:
        return because(Why.ONLY_FIT)
    own = prices.get(supply.node_type)
    return because(Why.CHEAPEST if own == _lowest(prices) else Why.BEST_MIX)


def _lowest(prices: Mapping[str, float]) -> float:
    """The lowest price there is, but for what is free."""
    return min((price for price in prices.values() if price), default=0.0)


def _why_not_taken(
    supply: Supply, prices: Mapping[str, float], order: Sequence[Wanted], capacity: Capacity
) -> Reason:
    own = prices.get(supply.node_type)
    if own is None:
        return because(Why.DOES_NOT_FIT, what=_lacks(supply, order))
    failure = capacity.failure(supply.node_type)
    if failure is not None:
        return backing_off(supply.node_type, failure)
    limit = capacity.spec.node_types[supply.node_type].max_workers
    if not capacity.type_left(supply.node_type):
        return because(Why.NO_ROOM, now=capacity.count(supply.node_type), max=limit)
    factor = own / (_lowest(prices) or NODE_CHARGE)
    if factor > 1.05:
        return because(Why.DEARER, factor=f"{factor:.1f}".removesuffix(".0"))
    if "GPU" in supply.room and not any("GPU" in want.shape for want in order):
        return because(Why.SPARES_GPU)
    return because(Why.AS_GOOD)


def _lacks(supply: Supply, wanted: Iterable[Wanted]) -> str:
    """What the type has too little of for these requests, each of which it fails."""
    found = list(dict.fromkeys(_lack(supply, want) for want in wanted))
    more = ", …" if len(found) > _MOST_LACKS else ""
    return ", ".join(found[:_MOST_LACKS]) + more


def _lack(supply: Supply, want: Wanted) -> str:
    for name, units in sorted(want.shape.items()):
        if units > supply.room.units(name):
            return name
    return selectors_text(want.selectors)
