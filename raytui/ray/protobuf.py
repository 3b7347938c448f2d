"""Ray's autoscaler protobufs to our words and back: pure translation, no connection."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Outcome, Request
from raytui.model.reason import Why
from raytui.model.resources import UNITS_PER_ONE, Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import (
    Bundle,
    Constraint,
    Demand,
    Gang,
    Instance,
    LabelSelector,
    Node,
    NodeStatus,
    Strategy,
)
from raytui.ray.base import AutoscalerReport, RayView

if TYPE_CHECKING:
    from ray.core.generated import autoscaler_pb2

HEAD_RESOURCE = "node:__internal_head__"
_GROUP_MARK = "_group_"
_HOST_LABEL = "_PG_"
"""Ray gives nodes a label of this prefix and a placement group's id while they hold bundles of it
(`FormatPlacementGroupLabelName` in `gcs_autoscaler_state_manager.cc`)."""
_BUNDLE_IN_USE = re.compile(r"\bbundle_group_([0-9a-f]{20,})")
_IDLE_JITTER_S = 2.0
MOST_SHAPES_OF_A_NODE = 100
"""`max_resource_shapes_per_load_report` (ray_config_def.h): a raylet tells of no more."""
_MOST_ENTRIES = 1000
"""Of pending launches told to Ray; `ray status` counts entries, so each node needs its own."""

# Numbers of the protobuf enums; a newer Ray may send others, which count as RUNNING and "in".
_DEAD = 2
_STATUS = {1: NodeStatus.RUNNING, 3: NodeStatus.IDLE, 4: NodeStatus.DRAINING}
_NOT_IN = 2
_ASKED = {InstanceStatus.QUEUED, InstanceStatus.REQUESTED}
_INFEASIBLE_ANYWHERE = {Why.NO_TYPE_HAS, Why.TOO_LARGE}


def view_of(state: Any, read_node: Callable[[Any], Node]) -> RayView:
    """A ClusterResourceState as a RayView; `state` is protobuf's message, or one that is like it.

    `read_node` makes one of its nodes ours.
    """
    nodes = [node for node in state.node_states if node.status != _DEAD]
    hosts = _hosts(nodes)
    return RayView(
        version=state.cluster_resource_state_version,
        nodes=tuple(map(read_node, nodes)),
        demands=_demands(state.pending_resource_requests),
        # A group that waits for nothing any more stands there without bundles.
        gangs=tuple(
            gang
            for request in state.pending_gang_resource_requests
            if (gang := _gang(request, hosts)).bundles
        ),
        constraints=tuple(
            Constraint(tuple((_bundle(r.request), r.count) for r in c.resource_requests))
            for c in state.cluster_resource_constraints
            if c.resource_requests
        ),
        session=state.cluster_session_name,
        capped=len(state.pending_resource_requests) == MOST_SHAPES_OF_A_NODE,
    )


def node_of(state: Any, since: float) -> Node:
    """A NodeState as a Node that has been idle since then; see `idle_since`."""
    return Node(
        node_id=state.node_id.hex(),
        instance_id=state.instance_id,
        node_type=state.ray_node_type_name,
        status=_STATUS.get(state.status, NodeStatus.RUNNING),
        total=_own(state.total_resources),
        available=_own(state.available_resources),
        labels=dict(_newer(state, "labels", {})),
        ip=state.node_ip_address,
        idle_since=since,
        activity=_activity(state),
        is_head=HEAD_RESOURCE in state.total_resources,
    )


def _newer(message: Any, field: str, absent: Any) -> Any:
    """A field that older Rays' messages lack."""
    return getattr(message, field, absent)


def idle_since(state: Any, now: float, before: float = 0.0) -> float:
    """Since when a node is idle, in unix seconds; 0 when it is not.

    Ray tells a duration, whose start wavers by milliseconds from answer to answer: `before`, what
    was read from the answer before, stands while it is near.
    """
    if state.idle_duration_ms <= 0 and _STATUS.get(state.status) is not NodeStatus.IDLE:
        return 0.0
    since = now - state.idle_duration_ms / 1000
    return before if before and abs(since - before) <= _IDLE_JITTER_S else since


def _activity(state: Any) -> tuple[str, ...]:
    """Ray's words for what keeps a node; it repeats old ones while a node is idle."""
    if state.idle_duration_ms > 0:
        return ()
    said = []
    for words in state.node_activity:
        group = _BUNDLE_IN_USE.search(words)
        if group:
            said.append(f"Bundles of placement group {group[1][:12]} on node.")
        elif _GROUP_MARK not in words:
            said.append(words)
    return tuple(said)


def _own(amounts: Mapping[str, float]) -> Resources:
    """A node's resources without those that stand for bundles of placement groups on it.

    Ray takes a bundle's amounts from CPU, GPU and so on, and offers them again under names like
    `CPU_group_0_<id>`: to count both would be to count twice.
    """
    return Resources.of({n: a for n, a in amounts.items() if _GROUP_MARK not in n})


def _demands(requests: Iterable[Any]) -> tuple[Demand, ...]:
    """Shapes with counts, equal ones merged, in Ray's order.

    What waits for room inside a placement group is left out: no node can give it that.
    """
    counts: Counter[tuple[Resources, tuple[LabelSelector, ...]]] = Counter()
    for entry in requests:
        request = entry.request
        if any(_GROUP_MARK in name for name in request.resources_bundle):
            continue
        selectors = tuple(
            _selector(selector) for selector in _newer(request, "label_selectors", ())
        )
        key = (Resources.of(request.resources_bundle), selectors if any(selectors) else ())
        counts[key] += entry.count
    return tuple(Demand(shape, count, selectors) for (shape, selectors), count in counts.items())


def _selector(selector: Any) -> LabelSelector:
    """In an order of our own: Ray keeps conditions and values in hash sets, in no order at all."""
    return tuple(
        sorted(
            (
                c.label_key,
                "not-in" if c.operator == _NOT_IN else "in",
                tuple(sorted(c.label_values)),
            )
            for c in selector.label_constraints
        )
    )


def _bundle(request: Any) -> Bundle:
    selectors = _newer(request, "label_selectors", ())
    return Bundle(
        Resources.of(request.resources_bundle), _selector(selectors[0]) if selectors else ()
    )


def _hosts(nodes: Iterable[Any]) -> dict[str, list[str]]:
    """Placement group ids to the nodes that hold bundles of them."""
    hosts: dict[str, list[str]] = {}
    for node in nodes:
        for label in node.dynamic_labels:
            if label.startswith(_HOST_LABEL):
                hosts.setdefault(label.removeprefix(_HOST_LABEL), []).append(node.node_id.hex())
    return hosts


def _gang(gang: Any, hosts: Mapping[str, Sequence[str]]) -> Gang:
    """A placement group; Ray's details read `<id>:STRICT_SPREAD|PENDING`.

    Of a group that lost a node (`RESCHEDULING`) Ray lists the lost bundles only. Newer Rays list
    the bundles per way to place them, the preferred way first; 2.60 itself never sends a second.
    """
    listed = _newer(gang, "bundle_selectors", ())
    ways = [way.resource_requests for way in listed if way.resource_requests]
    requests, *others = ways or [gang.requests]
    gang_id, _, rest = gang.details.partition(":")
    word = rest.partition("|")[0]
    strategy = Strategy(word) if word in set(Strategy) else _strategy_of(requests)
    bundles = tuple(_bundle(request) for request in requests)
    fallbacks = tuple(tuple(_bundle(request) for request in way) for way in others)
    return Gang(gang_id, strategy, bundles, tuple(sorted(hosts.get(gang_id, ()))), fallbacks)


def _strategy_of(requests: Iterable[Any]) -> Strategy:
    constraints = [c for request in requests for c in request.placement_constraints]
    if any(c.HasField("anti_affinity") for c in constraints):
        return Strategy.STRICT_SPREAD
    if any(c.HasField("affinity") for c in constraints):
        return Strategy.STRICT_PACK
    return Strategy.PACK


def write_state(report: AutoscalerReport, version: int, now: float) -> bytes:
    """AutoscalingState as bytes. `version` must grow: GCS drops older ones without a word."""
    from ray.core.generated import autoscaler_pb2 as pb

    asked = [i for i in report.starting if i.status in _ASKED]
    there = [i for i in report.starting if i.status not in _ASKED]
    state = pb.AutoscalingState(
        last_seen_cluster_resource_state_version=report.seen_version,
        autoscaler_state_version=version,
        pending_instance_requests=[
            pb.PendingInstanceRequest(
                instance_type_name=instance.instance_type,
                ray_node_type_name=instance.node_type,
                count=1,
                request_ts=int(instance.launched_at or now),
            )
            for instance in asked[:_MOST_ENTRIES]
        ],
        pending_instances=[_pending(pb, instance) for instance in there[:_MOST_ENTRIES]],
        failed_instance_requests=[
            pb.FailedInstanceRequest(
                instance_type_name=failure.instance_type,
                ray_node_type_name=failure.node_type,
                count=failure.count,
                reason=failure.message,
                # `ray status` shows the start as the time of the failure.
                start_ts=int(failure.failed_at),
                failed_ts=int(failure.failed_at),
            )
            for failure in report.failures
        ],
        infeasible_resource_requests=[
            pb.ResourceRequest(resources_bundle=outcome.resources.amounts())
            for outcome in report.infeasible
            if _is_shape_infeasible(outcome)
        ],
    )
    return bytes(state.SerializeToString())


def _pending(pb: autoscaler_pb2, instance: Instance) -> Any:
    return pb.PendingInstance(
        instance_type_name=instance.instance_type,
        ray_node_type_name=instance.node_type,
        instance_id=instance.instance_id,
        ip_address=instance.ip,
        details=instance.status.value,
    )


def _is_shape_infeasible(outcome: Outcome) -> bool:
    """Whether Ray may be told that the shape as such is infeasible.

    Ray can be set to fail such tasks at once, so a shape that is only out of reach because of its
    labels must not be named: tasks of the same shape without labels would fail with it.
    """
    return outcome.kind is Request.DEMAND and outcome.reason.why in _INFEASIBLE_ANYWHERE


def write_config(spec: ClusterSpec) -> bytes:
    """ClusterConfig as bytes: Ray Data and Ray Train size themselves by it."""
    from ray.core.generated import autoscaler_pb2 as pb

    groups = []
    for node_type in spec.node_types.values():
        is_head = node_type.name == spec.head_node_type
        groups.append(
            pb.NodeGroupConfig(
                name=node_type.name,
                # The protobuf has whole numbers only.
                resources={n: u // UNITS_PER_ONE for n, u in node_type.resources.items()},
                min_count=node_type.min_workers + is_head,
                max_count=min(node_type.max_workers, spec.max_workers) + is_head,
            )
        )
    return bytes(pb.ClusterConfig(node_group_configs=groups).SerializeToString())
