"""A cluster seen without its daemon: what provider, Ray and ledger say by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing

import msgspec

from raytui.autoscaler.cluster_info import info_of
from raytui.autoscaler.loop.ledger import Ledger, LedgerError
from raytui.autoscaler.loop.picture import Picture
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.plan import Decision, Memory, Outcome, Plan, Request, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import EMPTY, Resources
from raytui.model.snapshot import Event, Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, Instance, Member, SourceHealth
from raytui.provisioning.registry import provider_for
from raytui.ray.base import RayError, RayView

TROUBLE = "the autoscaler is not running: nothing is launched or removed"

_EVENTS = 50


def observe_unattended(spec: ClusterSpec, paths: ClusterPaths) -> Snapshot | None:
    """A snapshot without a daemon; None when the cluster has no node at all.

    Raises ProviderError when not even the provider answers. Nothing is changed by it.
    """
    now = time.time()
    provider = provider_for(spec, paths)
    instances = provider.list_instances()
    if not instances:
        return None
    address = provider.head_address()
    view, gcs = _ask_ray(address, now)
    state = ClusterState(
        observed_at=now,
        members=tuple(_members(instances, view)),
        demands=view.demands,
        gangs=view.gangs,
        constraints=view.constraints,
        sources=(gcs, SourceHealth("provider", True, now), SourceHealth("daemon", False)),
    )
    memory, events, decisions = _past(paths)
    info = info_of(spec, gcs_address=address, dashboard_url=provider.dashboard_url())
    since = max((event.at for event in events), default=now)
    return Picture(info).draw(
        state,
        Plan(outcomes=tuple(_outcomes(view, because(Why.NOT_OBSERVED, source=_WHO, since=since)))),
        spec,
        memory,
        events=events,
        decisions=decisions,
        trouble=TROUBLE,
        tick_ms=0.0,
        now=now,
    )


_WHO = "the autoscaler"


def _ask_ray(address: str, now: float) -> tuple[RayView, SourceHealth]:
    from raytui.ray.gcs import GcsRay

    if not address:
        return RayView(0), SourceHealth("gcs", False, error="there is no head")
    try:
        ray = GcsRay(address)
    except RayError as error:
        return RayView(0), SourceHealth("gcs", False, error=str(error))
    try:
        return ray.observe(), SourceHealth("gcs", True, now)
    except RayError as error:
        return RayView(0), SourceHealth("gcs", False, error=str(error))
    finally:
        ray.close()


def _members(instances: list[Instance], view: RayView) -> Iterable[Member]:
    nodes = {node.instance_id: node for node in view.nodes if node.instance_id}
    ours = {instance.instance_id for instance in instances}
    for listed in sorted(instances, key=lambda i: (not i.is_head, i.node_type, i.launched_at)):
        node = nodes.get(listed.instance_id)
        if node is not None and listed.status in STARTING:
            # A provider knows machines; that Ray runs on one, only Ray knows.
            yield Member(msgspec.structs.replace(listed, status=InstanceStatus.RUNNING), node)
        else:
            yield Member(listed, node)
    for node in view.nodes:
        if node.instance_id not in ours:
            yield Member(None, node)


def _outcomes(view: RayView, reason: Reason) -> Iterable[Outcome]:
    blocked = Wait.BLOCKED
    for demand in view.demands:
        shape = demand.resources
        yield Outcome(Request.DEMAND, blocked, demand.count, reason, shape, shape.text())
    for gang in view.gangs:
        whole = sum((bundle.resources for bundle in gang.bundles), EMPTY)
        label = f"placement group {gang.gang_id[:4]} {gang.strategy}"
        yield Outcome(Request.GANG, blocked, 1, reason, whole, label)
    for constraint in view.constraints:
        total: Resources = sum((b.resources * count for b, count in constraint.bundles), EMPTY)
        yield Outcome(Request.CONSTRAINT, blocked, 1, reason, total, "request_resources")


def _past(paths: ClusterPaths) -> tuple[Memory, list[Event], list[Decision]]:
    """What the ledger can tell; nothing when there is none, or when it cannot be read."""
    nothing: tuple[Memory, list[Event], list[Decision]] = (Memory(), [], [])
    if not paths.ledger.exists():
        return nothing
    try:
        with closing(Ledger(paths.ledger)) as ledger:
            return ledger.memory(), ledger.events(_EVENTS), ledger.decisions(limit=_EVENTS)
    except LedgerError:
        return nothing
