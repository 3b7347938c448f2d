"""A program: does the Ray that runs it serve all that raytui asks of a GCS?

Run by the interpreter of the Ray in question, with raytui and tests on its path. It starts a head
and a worker on loopback, puts load on them, and asks everything that a daemon asks.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec
from raytui.ray.base import AutoscalerReport, RayError, RayView
from raytui.ray.gcs import GcsRay
from raytui.ray.tell_notice import tell

LOAD = """
import ray, sys, time
from ray.util.placement_group import placement_group
ray.init(sys.argv[1], logging_level="ERROR")
@ray.remote(num_cpus=1)
def work(): time.sleep(600)
tasks = [work.remote() for _ in range(6)]
spread = placement_group([{"CPU": 2}] * 3, strategy="STRICT_SPREAD")
time.sleep(600)
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def node(temp: Path, *role: str, **facts: str) -> subprocess.Popen[bytes]:
    """A Ray node in a process group of its own."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *role]
    command += ["--node-ip-address=127.0.0.1", f"--temp-dir={temp}", "--disable-usage-stats"]
    command += ["--memory=500000000", "--object-store-memory=80000000"]
    command += [f"--{name}-port={free_port()}" for name in ("object-manager", "node-manager")]
    with (temp / f"{facts['RAY_CLOUD_INSTANCE_ID']}.out").open("wb") as out:
        return subprocess.Popen(
            command,
            env={**os.environ, **facts, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def until(ray: GcsRay, seen: Callable[[RayView], Any], within_s: float = 60) -> RayView:
    deadline = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = ray.observe()
            if seen(last):
                return last
        except RayError as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not seen in {within_s} s: {last}")


def main() -> None:
    import ray as package

    types = {
        "head": NodeType("head"),
        "cpu": NodeType("cpu", Resources.of(CPU=2), max_workers=2),
    }
    spec = ClusterSpec("oldest", ProviderSpec("local"), types, "head", max_workers=2)
    with ExitStack() as stack:
        temp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rt-")))
        port = free_port()
        address = f"127.0.0.1:{port}"
        head = node(
            temp,
            *("--head", "--no-monitor", f"--port={port}", "--num-cpus=0"),
            "--include-dashboard=false",
            f"--ray-client-server-port={free_port()}",
            RAY_CLOUD_INSTANCE_ID="head-0",
            RAY_NODE_TYPE_NAME="head",
        )
        stack.callback(end, head)
        ray = GcsRay(address)
        stack.callback(ray.close)
        until(ray, lambda view: any(n.is_head for n in view.nodes))

        def with_worker(name: str) -> RayView:
            worker = node(
                temp,
                *(f"--address={address}", "--num-cpus=2"),
                RAY_CLOUD_INSTANCE_ID=name,
                RAY_NODE_TYPE_NAME="cpu",
            )
            stack.callback(end, worker)
            return until(ray, lambda view: any(n.instance_id == name for n in view.nodes))

        view = with_worker("cpu-0")
        assert {n.node_type for n in view.nodes} == {"head", "cpu"}

        ray.take_over(spec)
        ray.report(AutoscalerReport(seen_version=view.version))
        ray.request_resources([(Resources.of(CPU=3), 1)])
        until(ray, lambda view: view.constraints)
        ray.request_resources([])
        until(ray, lambda view: not view.constraints)

        load = subprocess.Popen([sys.executable, "-c", LOAD, address])
        stack.callback(end, load)
        view = until(ray, lambda view: view.demands and view.gangs)
        assert [len(gang.bundles) for gang in view.gangs] == [3]
        busy = next(n for n in view.nodes if not n.is_head)
        refused = ray.drain(busy.node_id, idle_only=True, message="t", deadline=time.time() + 60)
        assert not refused.accepted, refused
        end(load)
        idle = until(ray, lambda view: all(n.idle_since for n in view.nodes))
        idle_id = next(n.node_id for n in idle.nodes if not n.is_head)
        taken = ray.drain(idle_id, idle_only=True, message="t", deadline=time.time() + 60)
        assert taken.accepted, taken
        until(ray, lambda view: all(n.is_head for n in view.nodes))

        with_worker("cpu-1")
        notice = {"kind": "interruption", "by": "AWS", "at": 1.0, "deadline": time.time() + 60}
        tell(address, "cpu-1", notice)
        view = until(ray, lambda view: view.notices and all(n.is_head for n in view.nodes))
        assert [n.instance_id for n in view.notices] == ["cpu-1"], view.notices
    print(f"Ray {package.__version__} serves all that raytui asks")


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
