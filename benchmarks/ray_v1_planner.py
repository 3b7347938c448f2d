"""The workload as Ray's autoscaler v1 is given it, and what its scheduler answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import workload
from ray._private.gcs_utils import PlacementGroupTableData
from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary
from ray.autoscaler._private.resource_demand_scheduler import ResourceDemandScheduler
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    NODE_KIND_WORKER,
    TAG_RAY_NODE_KIND,
    TAG_RAY_USER_NODE_TYPE,
)
from ray.core.generated.common_pb2 import PlacementStrategy

logging.getLogger("ray.autoscaler").setLevel(logging.ERROR)

_NO_LIMIT = 1_000_000


class _RunningNodes:
    """The two questions that the scheduler asks a node provider; node ids serve as addresses."""

    def __init__(self, types: dict[str, str]) -> None:
        self._types = types

    def node_tags(self, node_id: str) -> dict[str, str]:
        """What the node was tagged with at its launch."""
        kind = NODE_KIND_HEAD if self._types[node_id] == "head" else NODE_KIND_WORKER
        return {TAG_RAY_NODE_KIND: kind, TAG_RAY_USER_NODE_TYPE: self._types[node_id]}

    def internal_ip(self, node_id: str) -> str:
        """The node's address."""
        return node_id


def prepare(work: workload.Workload) -> Callable[[], dict[str, Any]]:
    """A call that lets Ray decide: `launches`, nodes per type; `left`, requests without room."""
    nodes = [workload.Existing(workload.HEAD, {}), *work.existing]
    ids = [f"node-{index:05d}" for index in range(len(nodes))]
    types = {
        machine.name: {
            "resources": dict(machine.amounts),
            "min_workers": 0,
            "max_workers": _NO_LIMIT,
            "node_config": {},
        }
        for machine in work.machines
    }
    types["head"] = {"resources": {}, "min_workers": 0, "max_workers": 0, "node_config": {}}
    provider = _RunningNodes({i: node.machine.name for i, node in zip(ids, nodes, strict=True)})
    free = {i: dict(node.free) for i, node in zip(ids, nodes, strict=True)}
    total = {i: dict(node.machine.amounts) for i, node in zip(ids, nodes, strict=True)}
    demands = [dict(shape) for shape, count in work.demands for _ in range(count)]
    gangs = [_spread_gang() for _ in range(work.gangs)]

    def decide() -> dict[str, Any]:
        scheduler = ResourceDemandScheduler(
            provider,
            types,
            max_workers=_NO_LIMIT,
            head_node_type="head",
            upscaling_speed=_NO_LIMIT,
        )
        launches, left = scheduler.get_nodes_to_launch(
            ids, {}, demands, free, gangs, total, [], NodeAvailabilitySummary({})
        )
        return {"launches": dict(launches), "left": len(left)}

    return decide


def _spread_gang() -> PlacementGroupTableData:
    gang = PlacementGroupTableData(strategy=PlacementStrategy.STRICT_SPREAD)
    for _ in range(workload.GANG_SIZE):
        gang.bundles.add().unit_resources.update(workload.BUNDLE)
    return gang
