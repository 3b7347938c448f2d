"""A running cluster looked at once, as its autoscaler would see it; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.offers import Offers
from raytui.backends.abilities import filled
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import LEAVING, STARTING, InstanceStatus
from raytui.model.plan import Memory
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, Instance, Member, SourceHealth
from raytui.provisioning.registry import provider_for
from raytui.ray.base import RayError, RayView

_UNLISTED = frozenset({InstanceStatus.QUEUED, InstanceStatus.REQUESTED})
"""Statuses of instances that no provider knows yet."""


def observe_once(
    launched: ClusterSpec, spec: ClusterSpec, paths: ClusterPaths, now: float
) -> tuple[ClusterSpec, ClusterState, Memory]:
    """What is, from GCS, provider and ledger, and what the autoscaler remembers.

    `launched` is what the cluster was launched as, `spec` the file that is planned for: it comes
    back completed by what the provider knows. Raises ProviderError, LedgerError, and RayError when
    there is no head or it does not answer: a plan from half of the facts would mislead.
    """
    provider = provider_for(launched, paths)
    listing = provider.list_instances()
    view = _ask_ray(provider.head_address())
    recorded, memory = _recorded(paths.ledger)
    state = ClusterState(
        observed_at=now,
        members=tuple(_members(recorded, listing, view)),
        demands=view.demands,
        gangs=view.gangs,
        constraints=view.constraints,
        sources=(SourceHealth("gcs", True, now), SourceHealth("provider", True, now)),
        version=view.version,
    )
    return Offers(provider).on(filled(provider, spec)), state, memory


def _ask_ray(address: str) -> RayView:
    from raytui.ray.gcs import GcsRay

    if not address:
        raise RayError("there is no head")
    ray = GcsRay(address)
    try:
        return ray.observe()
    finally:
        ray.close()


def _recorded(path: Path) -> tuple[list[Instance], Memory]:
    if not path.exists():
        return [], Memory()
    ledger = Ledger(path)
    try:
        return ledger.open_instances(), ledger.memory()
    finally:
        ledger.close()


def _members(
    recorded: Sequence[Instance], listing: Sequence[Instance], view: RayView
) -> Iterable[Member]:
    """The ledger's instances as provider and Ray see them now, then what the ledger lacks."""
    nodes = {node.instance_id: node for node in view.nodes if node.instance_id}
    listed = {instance.instance_id: instance for instance in listing}
    known = {instance.instance_id for instance in recorded}
    others = [instance for instance in listing if instance.instance_id not in known]
    for instance in (*recorded, *others):
        node, status = nodes.get(instance.instance_id), instance.status
        if node is not None and status in STARTING:
            status = InstanceStatus.RUNNING
        elif node is None and instance.instance_id not in listed and status not in _UNLISTED:
            if status in LEAVING:
                continue
            status = InstanceStatus.LOST
        yield Member(msgspec.structs.replace(instance, status=status), node)
    for node in view.nodes:
        if node.instance_id not in listed and node.instance_id not in known:
            yield Member(None, node)
