"""A daemon's loop over 1,000 idle nodes, in real time, and what it uses; prints one JSON object.

GCS is another process that writes its answer anew for every look and sends it through a pipe.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from raytui.autoscaler.daemon.engine_thread import EngineThread
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.simulated_ray import SimulatedRay
from raytui.backends.base import LaunchRequest, NodeProvider
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

    def __init__(self, spec: ClusterSpec, gcs: Connection) -> None:
        super().__init__(spec, FakeProvider(clock=time.time), (), clock=time.time)
        self._gcs = gcs
        self._reader = ViewReader()

    def observe(self) -> RayView:
        """See RayCluster."""
        self._gcs.send_bytes(b"?")
        return self._reader.read(self._gcs.recv_bytes(), time.time())


def serve(asked: Connection, names: dict[str, bool]) -> None:
    """Answer as GCS does, until nobody asks any more; `names` tells who is the head."""
    from ray.core.generated import autoscaler_pb2 as pb

    state = pb.ClusterResourceState(cluster_session_name="session")
    for name, head in names.items():
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


def account(url: str, home: str) -> dict[str, str]:
    """The environment of somebody whose AWS is at `url`, and whose clusters are in `home`."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": f"{home}/no-aws-config",
        "XDG_STATE_HOME": f"{home}/state",
    }


def serve_ec2(asked: Connection) -> None:
    """Be EC2 until nobody asks any more; tells its address."""
    from tests.aws.emulated import Server
    from tests.aws.price_server import PriceServer

    server = Server()
    emulated = server.emptied()
    emulated.remembers = True
    emulated.prices = PriceServer()
    asked.send(server.url)
    with contextlib.suppress(EOFError):
        asked.recv()
    server.close()


@contextlib.contextmanager
def _free(folder: str) -> Iterator[tuple[ClusterSpec, NodeProvider]]:
    """Machines that it costs nothing to list."""
    spec = _spec(ProviderSpec("simulated"), {})
    provider = FakeProvider(clock=time.time)
    provider.launch(LaunchRequest("head", "head", 1, is_head=True))
    provider.launch(LaunchRequest("cpu-0", "cpu", NODES))
    yield spec, provider


@contextlib.contextmanager
def _ec2(folder: str) -> Iterator[tuple[ClusterSpec, NodeProvider]]:
    """Instances of an emulated EC2, and the provisioner, which has set them up."""
    from raytui.backends.aws.session import AwsSession
    from raytui.config.locations import ClusterPaths
    from raytui.provisioning.node_setup import launch_hash_of
    from raytui.provisioning.provisioner import Provisioner
    from tests.aws.emulated import REGION
    from tests.aws.obedient import ObedientMachines
    from tests.aws.world import IMAGE

    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=serve_ec2, args=(there,), daemon=True
    )
    server.start()
    there.close()
    os.environ.update(account(here.recv(), folder))
    options = {"type": "aws", "region": REGION}
    spec = _spec(ProviderSpec("aws", options), {"InstanceType": "m5.large", "ImageId": IMAGE})
    paths = ClusterPaths("idle").make()
    machines = ObedientMachines(spec, paths, AwsSession(options), launch_hash_of)
    machines.launch(LaunchRequest("head", "head", 1, is_head=True))
    machines.launch(LaunchRequest("cpu-0", "cpu", NODES))
    provider = Provisioner(spec, machines, paths)
    provider.start()
    while not all(i.ray_started_at for i in provider.list_instances() if not i.is_head):
        time.sleep(1)
    yield spec, provider
    provider.close()
    here.close()
    server.join(10)


def _spec(provider: ProviderSpec, config: dict[str, Any]) -> ClusterSpec:
    resources = Resources.of(CPU=8, memory=32 * 2**30)
    types = {
        "head": NodeType("head", node_config=config),
        "cpu": NodeType("cpu", resources, max_workers=NODES, node_config=config),
    }
    return ClusterSpec("idle", provider, types, "head", max_workers=NODES, idle_timeout_s=36_000)


def main(seconds: float, machines: str = "free") -> None:
    """Let the loop run for so many seconds, on machines that are `free` to list, or on `ec2`."""
    with tempfile.TemporaryDirectory() as folder:
        provided = {"free": _free, "ec2": _ec2}[machines]
        with provided(folder) as (spec, provider):
            print(json.dumps(_watched(seconds, spec, provider, Path(folder))))


def _watched(
    seconds: float, spec: ClusterSpec, provider: NodeProvider, folder: Path
) -> dict[str, Any]:
    """What the loop used."""
    here, there = multiprocessing.Pipe()
    names = {i.instance_id: i.is_head for i in provider.list_instances()}
    gcs = multiprocessing.get_context("spawn").Process(
        target=serve, args=(there, names), daemon=True
    )
    gcs.start()
    there.close()
    ticks: list[float] = []
    ledger = Ledger(folder / "ledger.db")
    info = ClusterInfo("idle", "simulated")

    def make() -> Reconciler:
        return Reconciler(spec, provider, _DistantRay(spec, here), ledger, info=info)

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
    here.close()
    gcs.join(10)
    return {
        "nodes": NODES,
        "watched_s": round(wall, 1),
        "ticks": len(ticks),
        "cpu_share": float(f"{spent / wall:.3g}"),
        "rss_mb": round(me.memory_info().rss / 1e6, 1),
    }


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
