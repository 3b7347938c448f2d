"""Ceilings: limits per node type that a person set below its max_workers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from raytui.model.reason import Reason, Why, because
from raytui.model.spec import ClusterSpec


def with_ceilings(spec: ClusterSpec, ceilings: Mapping[str, int]) -> ClusterSpec:
    """The spec with every ceiling in place of a higher max_workers."""
    lowered = {
        name: msgspec.structs.replace(kind, max_workers=ceilings[name])
        for name, kind in spec.node_types.items()
        if ceilings.get(name, kind.max_workers) < kind.max_workers
    }
    if not lowered:
        return spec
    return msgspec.structs.replace(spec, node_types={**spec.node_types, **lowered})


def about_limit(
    why: Why, spec: ClusterSpec, ceilings: Mapping[str, int], node_type: str, **args: int
) -> Reason:
    """A reason about a type's limit, which says so when a person set it.

    `spec` is one from `with_ceilings`.
    """
    limit = spec.node_types[node_type].max_workers
    if ceilings.get(node_type) == limit:
        args["ceiling"] = limit
    return because(why, node_type=node_type, max=limit, **args)
