"""What a RayCluster is to be where raytui's own operator makes its pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from raytui.backends.kubernetes.manifest import spec_of
from raytui.backends.kubernetes.raycluster import UNLIMITED, read
from raytui.model.spec import ClusterSpec


def spec_for_operator(resource: Mapping[str, Any]) -> ClusterSpec:
    """The spec to plan by: as it is, or where nobody is to scale, `replicas` of each group exactly.

    Raises ConfigErrors.
    """
    spec = spec_of(resource)
    cluster = read(resource)
    if cluster.is_autoscaled:
        return spec
    types = dict(spec.node_types)
    for group in cluster.groups.values():
        kind = types[group.name]
        # A suspended group may have none at all.
        wanted = min(group.wanted, UNLIMITED) if kind.max_workers else 0
        types[group.name] = replace(kind, min_workers=wanted, max_workers=wanted)
    total = min(UNLIMITED, sum(kind.max_workers for kind in types.values()))
    return replace(spec, node_types=types, max_workers=total)
