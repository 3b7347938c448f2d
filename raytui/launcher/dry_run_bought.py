"""What `up` would buy in a cloud, and at which price, told without buying any of it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from raytui.backends.abilities import filled as filled_by
from raytui.backends.base import Machines
from raytui.backends.cloud import Cloud, Needs
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import HeadPlace, heads_in, is_as_written, noted_place, place_of
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance
from raytui.model.text import count_text
from raytui.provisioning.node_setup import with_hashes_of
from raytui.provisioning.node_tags import hashes_in
from raytui.provisioning.registry import machines_for

_WAYS_TOLD = 6
"""Of the ways to buy a node type, the cheapest first."""


class Market(Struct, frozen=True):
    """A cluster as its cloud has it now."""

    cloud: Cloud
    written: ClusterSpec
    filled: ClusterSpec
    """With what was found of what machines need; what is to be made is still open."""
    known: ClusterSpec
    """That with what the machines of each type have."""
    needs: Needs
    machines: Machines
    head: Instance | None
    place: HeadPlace | None
    """Where the head is, once it has an address."""


def look_around(spec: ClusterSpec, paths: ClusterPaths, cloud: Cloud) -> Market:
    """Ask the cloud, and change nothing. Raises ProviderError."""
    needs = cloud.look_up()
    filled = with_hashes_of(spec, needs.filled())
    machines = machines_for(filled, paths)
    known = filled_by(machines, filled)
    head = next(iter(heads_in(machines.list_instances(), noted_place(paths))), None)
    has_address = head is not None and head.ip
    place = place_of(head, cloud, filled.auth.ssh_private_key) if head and has_address else None
    return Market(cloud, spec, filled, known, needs, machines, head, place)


def needs_lines(market: Market) -> Iterator[str]:
    """What machines need, in the order in which it would be made."""
    yield "what machines need"
    for part in market.needs.parts:
        detail = f": {part.detail}" if part.detail else ""
        yield f"  {part.state:<10} {part.kind} {part.name}{detail}"


def head_line(market: Market) -> str:
    """Which machine is, or would be, the head."""
    head, written = market.head, market.written
    if head is None:
        return f"head {written.head_node_type}: to be launched"
    words = f"head {written.head_node_type}: {head.instance_id}, {head.instance_type} {head.zone}"
    if is_as_written(head, hashes_in(market.machines.tags(head.instance_id)).launch, written):
        return words
    return f"{words}, made from another node_config or auth (up asks whether to launch another)"


def ways_lines(market: Market, node_type: NodeType) -> Iterator[str]:
    """What a node of a type has, and the ways to buy one, the cheapest first."""
    if has := market.known.node_types[node_type.name].resources:
        yield f"  {has.text()}"
    ways = market.machines.offerings(node_type)
    for way in ways[:_WAYS_TOLD]:
        yield f"  {way.text() or 'any'}: {_price(way.price_per_hour)}"
    if len(ways) > _WAYS_TOLD:
        yield f"  and {count_text(len(ways) - _WAYS_TOLD, 'more way')}"


def cost_lines(market: Market) -> Iterator[str]:
    """What the head costs, and the cluster at its full size, each node bought the cheapest way."""
    spec = market.filled
    head = _cheapest(market.machines.offerings(spec.node_types[spec.head_node_type]))
    yield f"the head: {_price(head)}"
    costs = [
        (_cheapest(market.machines.offerings(kind)), kind)
        for kind in spec.worker_types
        if kind.max_workers
    ]
    unknown = [kind.name for cost, kind in costs if cost is None]
    if head is None or unknown:
        names = ", ".join([*(["the head"] if head is None else []), *unknown])
        yield f"at full size: price unknown, because nobody tells that of {names}"
        return
    left, total = spec.max_workers, head
    # Of limits that cannot all be reached, those of the dearest nodes.
    for cost, kind in sorted(costs, key=lambda one: -(one[0] or 0)):
        count = min(left, kind.max_workers)
        left, total = left - count, total + count * (cost or 0)
    workers = count_text(spec.max_workers - left, "worker")
    yield (
        f"at full size: {_price(total)} for the head and {workers}, each bought where it is "
        "cheapest now"
    )


def shortage_lines(market: Market) -> list[str]:
    """What of the cluster the account may not run."""
    types = market.filled.node_types
    return market.cloud.shortages({n: market.machines.offerings(t) for n, t in types.items()})


def _cheapest(ways: tuple[Offering, ...]) -> float | None:
    return min((w.price_per_hour for w in ways if w.price_per_hour is not None), default=None)


def _price(usd: float | None) -> str:
    return "price unknown" if usd is None else f"${usd:.4g} an hour"
