"""What people have ordered for a cluster, kept with its RayCluster: an operator has no disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from raytui.backends.kubernetes.marks import MEMORY
from raytui.model.codec import decode, encode
from raytui.model.plan import Hold, Memory


class Orders(Struct, frozen=True, omit_defaults=True):
    """The part of a Memory that nobody can find out again by looking."""

    floors: dict[str, int] = {}
    ceilings: dict[str, int] = {}
    holds: tuple[Hold, ...] = ()
    paused_by: str = ""


def orders_of(resource: Mapping[str, Any]) -> Orders:
    """What a RayCluster keeps; nothing when it keeps nothing that can be read."""
    annotations = resource["metadata"].get("annotations") or {}
    try:
        return decode(annotations[MEMORY], Orders)
    except (KeyError, msgspec.DecodeError):
        return Orders()


def remembered(orders: Orders) -> Memory:
    """The Memory of an autoscaler that starts."""
    return Memory(
        floors=orders.floors,
        ceilings=orders.ceilings,
        holds=orders.holds,
        paused_by=orders.paused_by,
    )


def orders_in(memory: Memory) -> Orders:
    """What of a Memory is to be kept."""
    return Orders(memory.floors, memory.ceilings, memory.holds, memory.paused_by)


def written(orders: Orders) -> str:
    """The value of the annotation; empty when there is nothing to keep."""
    return "" if orders == Orders() else encode(orders).decode()
