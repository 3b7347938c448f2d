"""A cluster file completed by what comes along and what was asked before; nobody is asked."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from raytui.backends.aws import catalog, resources
from raytui.backends.aws.choices import choices
from raytui.backends.aws.prices import known_prices
from raytui.backends.aws.resources import instance_types_of
from raytui.model.spec import ClusterSpec


def completed(spec: ClusterSpec, cache: Path, now: float) -> ClusterSpec:
    """What its machines have and cost, as far as the catalog or the directory `cache` tell.

    Zones are not known, and a type that the catalog does not have stays as the file has it.
    """
    types = catalog.load()
    named = {name: instance_types_of(kind) for name, kind in spec.node_types.items()}
    known = {n: spec.node_types[n] for n, names in named.items() if all(k in types for k in names)}
    filled = resources.fill(replace(spec, node_types=known), types).node_types
    region = str(spec.provider.options.get("region") or "")
    every = {kind for names in named.values() for kind in names}
    prices = known_prices(region, every, types, now, cache)
    node_types = {}
    for name, written in spec.node_types.items():
        kind = filled.get(name, written)
        ways = tuple(dict.fromkeys(one.offering for one in choices(kind, {}, prices.usd)))
        node_types[name] = replace(kind, offerings=ways or kind.offerings)
    return replace(spec, node_types=node_types)
