"""A planning problem as Ray's autoscaler v2 is given it, and what its scheduler decides."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass

from ray.autoscaler.v2.instance_manager.config import NodeTypeConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.schema import AutoscalerInstance
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated import autoscaler_pb2, instance_manager_pb2
from ray.core.generated.common_pb2 import LabelSelectorOperator

from raytui.model.resources import Resources
from raytui.model.state import Demand, Gang, LabelSelector, Member, Strategy
from tests.planner.cases import Case

logging.getLogger("ray.autoscaler").setLevel(logging.ERROR)

_OPERATORS = {
    "in": LabelSelectorOperator.LABEL_OPERATOR_IN,
    "not-in": LabelSelectorOperator.LABEL_OPERATOR_NOT_IN,
}
_Kind = ResourceRequestUtil.PlacementConstraintType
_TOGETHER = {Strategy.STRICT_PACK: _Kind.AFFINITY, Strategy.STRICT_SPREAD: _Kind.ANTI_AFFINITY}


@dataclass(frozen=True)
class Decided:
    """What a planner launches, and what found no place."""

    launches: Counter[str]
    left: Counter[Resources]
    """Requests of each shape."""
    groups_left: int


def schedule(case: Case) -> Decided:
    """What Ray's scheduler makes of a case."""
    types = {
        kind.name: NodeTypeConfig(
            kind.name,
            kind.min_workers,
            kind.max_workers,
            resources=kind.resources.amounts(),
            labels={"ray.io/node-group": kind.name, **kind.labels},
        )
        for kind in case.kinds
    }
    reply = ResourceDemandScheduler().schedule(
        SchedulingRequest(
            disable_launch_config_check=True,
            node_type_configs={**types, "head": NodeTypeConfig("head", 0, 0)},
            max_num_nodes=case.spec.max_workers + 1,
            resource_requests=[_by_count(demand) for demand in case.state.demands],
            gang_resource_requests=[_gang(gang) for gang in case.state.gangs],
            current_instances=[_instance(i, m) for i, m in enumerate(case.state.members)],
        )
    )
    left = Counter(
        Resources.of(dict(r.resources_bundle)) for r in reply.infeasible_resource_requests
    )
    launches: Counter[str] = Counter()
    for launch in reply.to_launch:
        launches[launch.instance_type] += launch.count
    return Decided(launches, left, len(reply.infeasible_gang_resource_requests))


def _selectors(selectors: tuple[LabelSelector, ...]) -> list[list[tuple[str, int, list[str]]]]:
    return [[(key, _OPERATORS[op], list(values)) for key, op, values in s] for s in selectors]


def _by_count(demand: Demand) -> autoscaler_pb2.ResourceRequestByCount:
    request = ResourceRequestUtil.make(
        demand.resources.amounts(), label_selectors=_selectors(demand.selectors)
    )
    return autoscaler_pb2.ResourceRequestByCount(request=request, count=demand.count)


def _gang(gang: Gang) -> autoscaler_pb2.GangResourceRequest:
    kind = _TOGETHER.get(gang.strategy)
    constraints = [(kind, f"_PG_{gang.gang_id}", "")] if kind is not None else None
    return autoscaler_pb2.GangResourceRequest(
        requests=[
            ResourceRequestUtil.make(
                bundle.resources.amounts(),
                constraints,
                _selectors((bundle.selector,) if bundle.selector else ()),
            )
            for bundle in gang.bundles
        ]
    )


def _instance(index: int, member: Member) -> AutoscalerInstance:
    node = member.node
    assert node is not None
    node_id = f"{index:056x}"
    kinds = instance_manager_pb2.NodeKind
    return AutoscalerInstance(
        cloud_instance_id=member.id,
        ray_node=autoscaler_pb2.NodeState(
            node_id=bytes.fromhex(node_id),
            instance_id=member.id,
            ray_node_type_name=member.node_type,
            total_resources=node.total.amounts(),
            available_resources=node.available.amounts(),
            labels=node.labels,
            status=autoscaler_pb2.NodeStatus.RUNNING,
        ),
        im_instance=instance_manager_pb2.Instance(
            instance_id=member.id,
            cloud_instance_id=member.id,
            instance_type=member.node_type,
            status=instance_manager_pb2.Instance.RAY_RUNNING,
            node_id=node_id,
            node_kind=kinds.HEAD if member.is_head else kinds.WORKER,
        ),
    )
