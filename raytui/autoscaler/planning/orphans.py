"""Orphans: instances with the cluster's tags that have no row in the ledger and run no Ray of ours.

A young one may yet join and be adopted, so it counts as starting. An old one is only a cost: it
holds no demand and keeps no floor, counts against the limits, and is swept when policy says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from raytui.model.leaving import OrphanPolicy
from raytui.model.lifecycle import COUNTED
from raytui.model.plan import Memory, Removal
from raytui.model.reason import Reason, Why, because
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance, Member

ORPHAN_GRACE_S = 600.0
"""How long an orphan may take to join Ray, from when it was first seen to be one."""


def is_forlorn(instance: Instance, memory: Memory, now: float) -> bool:
    """Whether an instance is an orphan that had its time to join."""
    if not instance.orphan:
        return False
    return now - memory.orphans.get(instance.instance_id, now) >= ORPHAN_GRACE_S


def swept(
    members: Iterable[Member], spec: ClusterSpec, memory: Memory, now: float
) -> tuple[Removal, ...]:
    """The orphans that policy ends now; one that a person holds stays."""
    if spec.orphans is not OrphanPolicy.TERMINATE:
        return ()
    held = {hold.instance_id for hold in memory.holds if not hold.until or hold.until > now}
    return tuple(
        Removal(member.id, member.node_type, _why_swept(member.instance, memory))
        for member in members
        if member.instance is not None
        and member.status in COUNTED
        and not member.is_head
        and member.id not in held
        and is_forlorn(member.instance, memory, now)
    )


def why_orphan(instance: Instance, spec: ClusterSpec, memory: Memory) -> Reason:
    """What an orphan is, and when it ends."""
    seen = memory.orphans.get(instance.instance_id)
    swept_at = 0.0
    if seen and spec.orphans is OrphanPolicy.TERMINATE:
        swept_at = seen + ORPHAN_GRACE_S
    return because(Why.ORPHAN, since=_since(instance, memory), sweep_at=swept_at)


def _why_swept(instance: Instance, memory: Memory) -> Reason:
    price = instance.price_per_hour or 0.0
    return because(Why.ORPHAN_SWEPT, since=_since(instance, memory), price=price)


def _since(instance: Instance, memory: Memory) -> float:
    return instance.launched_at or memory.orphans.get(instance.instance_id, 0.0)
