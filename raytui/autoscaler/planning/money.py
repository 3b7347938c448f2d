"""The budget: what the fleet costs per hour, and how much of what is wanted may be launched.

All nodes count, the head too, and those that leave until they are gone. A budget stops launches;
it never removes a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from raytui.autoscaler.planning.buying import Bought, Supply, estimated_price
from raytui.model.lifecycle import FINAL
from raytui.model.spec import ClusterSpec
from raytui.model.state import Member

_ROUNDING = 1e-9
"""Prices are sums of fractions: what is as little as this above the budget is not above it."""


def fleet_price(members: Iterable[Member], spec: ClusterSpec) -> float:
    """USD per hour of all nodes there are; those without a price count by an estimate."""
    return sum(_price(m, spec) for m in members if m.status not in FINAL)


def _price(member: Member, spec: ClusterSpec) -> float:
    if member.instance is not None and member.instance.price_per_hour is not None:
        return member.instance.price_per_hour
    kind = spec.node_types.get(member.node_type)
    if kind is not None:
        known = kind.price_per_hour
        return estimated_price(kind.resources) if known is None else known
    return estimated_price(member.node.total) if member.node is not None else 0.0


def times_in(price: float, dollars: float) -> int | None:
    """How many nodes of a price the money buys; None when it buys any number."""
    if price <= 0 or dollars == float("inf"):
        return None
    return max(0, int((dollars + _ROUNDING) / price))


def exceeds(price: float, dollars: float) -> bool:
    """Whether the money does not pay for it."""
    return price > dollars + _ROUNDING


def cost(bought: Iterable[Bought]) -> float:
    """USD per hour of new nodes."""
    return sum(lot.nodes * lot.supply.price for lot in bought)


def paid(bought: Sequence[Bought], dollars: float) -> list[Bought]:
    """The nodes that the money pays for; what the others would have held is wanted again."""
    kept = []
    for lot in bought:
        most = times_in(lot.supply.price, dollars)
        nodes = lot.nodes if most is None else min(lot.nodes, most)
        dollars -= nodes * lot.supply.price
        lot.supply.left += lot.nodes - nodes
        for want, copies in lot.pattern:
            want.count += copies * (lot.nodes - nodes)
        if nodes:
            kept.append(replace(lot, nodes=nodes))
    return kept


def limit_to(supplies: Iterable[Supply], dollars: float) -> None:
    """Let no type be bought that the money does not pay for."""
    for supply in supplies:
        most = times_in(supply.price, dollars)
        if most is not None:
            supply.left = min(supply.left, most)
