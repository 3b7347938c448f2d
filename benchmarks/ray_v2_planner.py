"""The workload as Ray's autoscaler v2 is given it, and what its scheduler answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import workload
from ray.autoscaler.v2.instance_manager.config import NodeTypeConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.schema import AutoscalerInstance
from ray.autoscaler.v2.utils import ResourceRequestUtil
from ray.core.generated.autoscaler_pb2 import (
    GangResourceRequest,
    NodeState,
    NodeStatus,
    ResourceRequestByCount,
)
from ray.core.generated.instance_manager_pb2 import Instance, NodeKind

logging.getLogger("ray.autoscaler").setLevel(logging.ERROR)

_NO_LIMIT = 1_000_000
_SPREAD = ResourceRequestUtil.PlacementConstraintType.ANTI_AFFINITY


def prepare(work: workload.Workload) -> Callable[[], dict[str, Any]]:
    """A call that lets Ray decide: `launches`, nodes per type; `left`, requests without room."""
    head = _running(0, workload.Existing(workload.HEAD, {}), NodeKind.HEAD)
    workers = [_running(i, node, NodeKind.WORKER) for i, node in enumerate(work.existing, 1)]
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs=_types(work),
        max_num_nodes=_NO_LIMIT,
        resource_requests=[
            ResourceRequestByCount(request=ResourceRequestUtil.make(shape), count=count)
            for shape, count in work.demands
        ],
        gang_resource_requests=[_spread_gang(index) for index in range(work.gangs)],
        current_instances=[head, *workers],
    )

    def decide() -> dict[str, Any]:
        reply = ResourceDemandScheduler().schedule(request)
        left = [*reply.infeasible_resource_requests, *reply.infeasible_gang_resource_requests]
        launches: dict[str, int] = {}
        for launch in reply.to_launch:
            launches[launch.instance_type] = launches.get(launch.instance_type, 0) + launch.count
        return {"launches": launches, "left": len(left)}

    return decide


def _types(work: workload.Workload) -> dict[str, NodeTypeConfig]:
    types = {
        machine.name: NodeTypeConfig(machine.name, 0, _NO_LIMIT, resources=dict(machine.amounts))
        for machine in work.machines
    }
    types["head"] = NodeTypeConfig("head", 0, 0)
    return types


def _running(index: int, node: workload.Existing, kind: NodeKind) -> AutoscalerInstance:
    name = f"i-{index:05d}"
    node_id = f"{index:056x}"
    return AutoscalerInstance(
        cloud_instance_id=name,
        ray_node=NodeState(
            node_id=bytes.fromhex(node_id),
            instance_id=name,
            ray_node_type_name=node.machine.name,
            total_resources=node.machine.amounts,
            available_resources=node.free,
            status=NodeStatus.RUNNING,
        ),
        im_instance=Instance(
            instance_id=name,
            cloud_instance_id=name,
            instance_type=node.machine.name,
            status=Instance.RAY_RUNNING,
            node_id=node_id,
            node_kind=kind,
        ),
    )


def _spread_gang(index: int) -> GangResourceRequest:
    constraint = (_SPREAD, f"_PG_{index:08x}", "")
    bundle = ResourceRequestUtil.make(workload.BUNDLE, [constraint])
    return GangResourceRequest(requests=[bundle] * workload.GANG_SIZE)
