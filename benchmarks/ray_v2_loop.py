"""Ray's autoscaler v2 as a loop: its own reconciler, storage and scheduler over a made-up cloud.

What Ray's `Autoscaler` puts together, without its threads and its GCS: the instance manager with
in-memory storage, the resource monitor, the scheduler, and a provider whose machines exist at once
and whose Ray nodes register some rounds later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.instance_manager.instance_manager import InstanceManager
from ray.autoscaler.v2.instance_manager.instance_storage import InstanceStorage
from ray.autoscaler.v2.instance_manager.node_provider import (
    CloudInstance,
    CloudInstanceProviderError,
    ICloudInstanceProvider,
)
from ray.autoscaler.v2.instance_manager.reconciler import Reconciler
from ray.autoscaler.v2.instance_manager.storage import InMemoryStorage
from ray.autoscaler.v2.instance_manager.subscribers.cloud_instance_updater import (
    CloudInstanceUpdater,
)
from ray.autoscaler.v2.instance_manager.subscribers.cloud_resource_monitor import (
    CloudResourceMonitor,
)
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler
from ray.core.generated.autoscaler_pb2 import ClusterResourceState, NodeState, NodeStatus
from ray.core.generated.instance_manager_pb2 import Instance, NodeKind

logging.disable(logging.ERROR)

PERIOD_S = 5.0
"""How long Ray's monitor waits between two rounds (AUTOSCALER_UPDATE_INTERVAL_S)."""
_EMPTY_LISTS = (
    "cluster_synced_files",
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)
_AMOUNTS = {"CPU": 8.0, "memory": 32.0 * 2**30}


class RayLoop:
    """A head and the workers of one type."""

    def __init__(self, *, min_workers: int = 0, max_workers: int = 10_000) -> None:
        self._config = AutoscalingConfig(
            {
                **{name: [] for name in _EMPTY_LISTS},
                "file_mounts": {},
                "auth": {},
                "cluster_name": "benchmark",
                "max_workers": max_workers,
                "upscaling_speed": 1.0,
                "idle_timeout_minutes": 600,
                "provider": {
                    "type": "external",
                    "module": "not.called",
                    "disable_node_updaters": True,
                    "disable_launch_config_check": True,
                },
                "head_node_type": "head",
                "available_node_types": {
                    "head": {"resources": {}, "node_config": {}, "max_workers": 0},
                    "cpu": {
                        "resources": _AMOUNTS,
                        "node_config": {},
                        "min_workers": min_workers,
                        "max_workers": max_workers,
                    },
                },
            }
        )
        self.cloud = _Cloud()
        self._storage = InstanceStorage("benchmark", InMemoryStorage())
        self._monitor = CloudResourceMonitor()
        self._instances = InstanceManager(
            self._storage, [CloudInstanceUpdater(self.cloud), self._monitor]
        )
        self._scheduler = ResourceDemandScheduler()
        self._version = 0
        self.cloud.add("head-0", "head", NodeKind.HEAD)

    def settle(self, workers: int, dead: int) -> None:
        """Give the loop running workers and ended instances, as if it had started them."""
        names = ["head-0", *(f"cpu-{index}" for index in range(workers))]
        for name in names[1:]:
            self.cloud.add(name, "cpu", NodeKind.WORKER)
        rows = [_row(name, self.cloud.kinds[name], Instance.RAY_RUNNING) for name in names]
        rows += [_row(f"dead-{index}", "cpu", Instance.TERMINATED) for index in range(dead)]
        self._storage.batch_upsert_instances(rows)

    def round(self, nodes: Mapping[str, float]) -> None:
        """One reconcile; `nodes` are the instances that are Ray nodes, with seconds idle."""
        self._version += 1
        Reconciler.reconcile(
            instance_manager=self._instances,
            scheduler=self._scheduler,
            cloud_provider=self.cloud,
            cloud_resource_monitor=self._monitor,
            ray_cluster_resource_state=ClusterResourceState(
                cluster_resource_state_version=self._version,
                node_states=[
                    _node(name, self.cloud.kinds[name], idle_s) for name, idle_s in nodes.items()
                ],
            ),
            non_terminated_cloud_instances=self.cloud.get_non_terminated(),
            autoscaling_config=self._config,
        )


class _Cloud(ICloudInstanceProvider):  # type: ignore[misc]  # Ray has no types
    """Machines that exist as soon as they are asked for."""

    def __init__(self) -> None:
        self._there: dict[str, CloudInstance] = {}
        self.kinds: dict[str, str] = {}
        self.asked = 0
        """Machines that launch() was asked for."""

    def add(self, name: str, kind: str, role: NodeKind, request_id: str = "") -> None:
        self.kinds[name] = kind
        self._there[name] = CloudInstance(name, kind, role, True, request_id or None)

    def get_non_terminated(self) -> dict[str, CloudInstance]:
        return dict(self._there)

    def launch(self, shape: Mapping[str, int], request_id: str) -> None:
        for kind, count in shape.items():
            for _ in range(count):
                self.asked += 1
                self.add(f"{kind}-{self.asked}", kind, NodeKind.WORKER, request_id)

    def terminate(self, ids: list[str], request_id: str) -> None:
        for name in ids:
            self._there.pop(name, None)

    def poll_errors(self) -> list[CloudInstanceProviderError]:
        return []


def _row(name: str, kind: str, status: Any) -> Instance:
    is_head = kind == "head"
    now_ns = time.time_ns()
    row = Instance(
        instance_id=name,
        cloud_instance_id=name,
        instance_type=kind,
        status=status,
        node_id=_node_id(name).hex(),
        node_kind=NodeKind.HEAD if is_head else NodeKind.WORKER,
    )
    row.status_history.append(Instance.StatusHistory(instance_status=status, timestamp_ns=now_ns))
    return row


def _node(name: str, kind: str, idle_s: float) -> NodeState:
    amounts = {"node:__internal_head__": 1.0} if kind == "head" else _AMOUNTS
    return NodeState(
        node_id=_node_id(name),
        instance_id=name,
        ray_node_type_name=kind,
        total_resources=amounts,
        available_resources=amounts,
        status=NodeStatus.IDLE,
        idle_duration_ms=int(idle_s * 1000),
    )


def _node_id(name: str) -> bytes:
    return name.encode().ljust(28, b"\0")
