"""A daemon's loop over 1,000 idle nodes, in real time, and what it uses; prints one JSON object.

GCS is another process that writes its answer anew for every look and sends it through a pipe.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from raytui.autoscaler.daemon.engine_thread import EngineThread
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.simulated_ray import SimulatedRay
from raytui.backends.base import LaunchRequest
from raytui.backends.fake import FakeProvider
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec
from raytui.ray.base import RayView
from raytui.ray.view_reader import ViewReader

NODES = 1000
_SETTLE_S = 6.0
_AMOUNTS = {"CPU": 8.0, "memory": 32.0 * 2**30, "object_store_memory": 8.0 * 2**30}


class _DistantRay(SimulatedRay):
    """What is observed comes as GCS's bytes from another process."""

    def __init__(self, spec: ClusterSpec, provider: FakeProvider, gcs: Connection) -> None:
        super().__init__(spec, provider, (), clock=time.time)
        self._gcs = gcs
        self._reader = ViewReader()

    def observe(self) -> RayView:
        """See RayCluster."""
        self._gcs.send_bytes(b"?")
        return self._reader.read(self._gcs.recv_bytes(), time.time())


def serve(asked: Connection, names: list[str]) -> None:
    """Answer as GCS does, until nobody asks any more."""
    from ray.core.generated import autoscaler_pb2 as pb

    state = pb.ClusterResourceState(cluster_session_name="session")
    for name in names:
        head = name == "head-0"
        node = state.node_states.add(
            node_id=name.encode().ljust(28, b"\0"),
            instance_id=name,
            ray_node_type_name="head" if head else "cpu",
            node_ip_address="10.0.0.1",
            status=pb.NodeStatus.IDLE,
            labels={"ray.io/node-id": name.ljust(56), "ray.io/node-group": "cpu"},
        )
        amounts = {"node:__internal_head__": 1.0} if head else _AMOUNTS
        node.total_resources.update(amounts)
        node.available_resources.update(amounts)
    started = time.monotonic()
    while True:
        try:
            asked.recv_bytes()
        except EOFError:
            return
        state.cluster_resource_state_version += 1
        for node in state.node_states:
            node.idle_duration_ms = int((time.monotonic() - started) * 1000) + 1
            node.node_state_version = state.cluster_resource_state_version
        reply = pb.GetClusterResourceStateReply(cluster_resource_state=state)
        asked.send_bytes(reply.SerializeToString())


def main(seconds: float) -> None:
    """Let the loop run for so many seconds."""
    resources = Resources.of(CPU=8, memory=32 * 2**30)
    types = {"head": NodeType("head"), "cpu": NodeType("cpu", resources, max_workers=NODES)}
    spec = ClusterSpec(
        "idle", ProviderSpec("simulated"), types, "head", max_workers=NODES, idle_timeout_s=36_000
    )
    provider = FakeProvider(clock=time.time)
    provider.launch(LaunchRequest("head", "head", 1, is_head=True))
    provider.launch(LaunchRequest("cpu-0", "cpu", NODES))
    here, there = multiprocessing.Pipe()
    gcs = multiprocessing.get_context("spawn").Process(
        target=serve, args=(there, list(provider.instances)), daemon=True
    )
    gcs.start()
    there.close()
    ticks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.db")
        info = ClusterInfo("idle", "simulated")

        def make() -> Reconciler:
            return Reconciler(spec, provider, _DistantRay(spec, provider, here), ledger, info=info)

        def publish(snapshot: Snapshot) -> None:
            ticks.append(snapshot.tick_ms)

        thread = EngineThread(make, publish, info, watched=lambda: False)
        thread.start()
        time.sleep(_SETTLE_S)
        ticks.clear()
        me = psutil.Process()
        before, wall = me.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, wall = me.cpu_times(), time.monotonic() - wall
        thread.stop()
        thread.join(10)
    spent = after.user + after.system - before.user - before.system
    print(
        json.dumps(
            {
                "nodes": NODES,
                "watched_s": round(wall, 1),
                "ticks": len(ticks),
                "cpu_share": float(f"{spent / wall:.3g}"),
                "rss_mb": round(me.memory_info().rss / 1e6, 1),
            }
        )
    )
    here.close()
    gcs.join(10)


if __name__ == "__main__":
    main(float(sys.argv[1]))
