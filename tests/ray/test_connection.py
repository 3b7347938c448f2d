"""What happens when GCS is away, comes back, or was never there."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from raytui.backends import local_start
from raytui.ray.base import RayError
from raytui.ray.gcs import GcsRay
from tests.support.local_cluster import LocalCluster, running
from tests.support.waiting import eventually


class Forwarder:
    """Passes TCP connections on to an address that can be changed, or cuts them all."""

    def __init__(self) -> None:
        self.port = local_start.free_port()
        self._target: tuple[str, int] | None = None
        self._open: list[socket.socket] = []
        self._listener: socket.socket | None = None

    def lead_to(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for connection in self._open:
            connection.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            assert self._target is not None
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


@pytest.mark.ray
def test_a_lost_connection_is_one_sentence_and_the_next_call_finds_the_head_again(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    forwarder = Forwarder()
    forwarder.lead_to(cluster.ray.gcs_address)
    ray = GcsRay(f"127.0.0.1:{forwarder.port}")
    session = ray.observe().session

    forwarder.cut()
    started = time.monotonic()
    with pytest.raises(RayError) as caught:
        ray.observe()
    assert time.monotonic() - started < 8
    assert "\n" not in str(caught.value)
    started = time.monotonic()
    with pytest.raises(RayError, match="nothing answers"):
        ray.observe()
    assert time.monotonic() - started < 2

    forwarder.lead_to(cluster.ray.gcs_address)
    assert ray.observe().session == session

    # The head was started anew: another GCS, another cluster id, the same address.
    with running("reborn", tmp_path) as reborn:
        forwarder.cut()
        forwarder.lead_to(reborn.ray.gcs_address)
        view = eventually(lambda: _observed(ray), within_s=10)
        assert view.session == reborn.ray.observe().session != session
    forwarder.cut()


def _observed(ray: GcsRay) -> object:
    try:
        return ray.observe()
    except RayError:
        return None


def test_nobody_at_the_address_is_told_at_once() -> None:
    ray = GcsRay(f"127.0.0.1:{local_start.free_port()}")
    started = time.monotonic()
    with pytest.raises(RayError, match="nothing answers at"):
        ray.observe()
    assert time.monotonic() - started < 2


@pytest.mark.ray
def test_somebody_who_listens_and_says_nothing_is_not_waited_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ray = GcsRay(f"127.0.0.1:{server.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(RayError, match="listens but does not answer"):
            ray.observe()
        assert time.monotonic() - started < 8  # Ray's own client waits for 30 s


def test_waiting_for_a_head_ends() -> None:
    with pytest.raises(RayError):
        GcsRay(f"127.0.0.1:{local_start.free_port()}").wait_ready(0.3)


def test_an_address_that_is_none_is_a_ray_error() -> None:
    with pytest.raises(RayError):
        GcsRay("nonsense").observe()


def test_impact_never_raises() -> None:
    found = GcsRay(f"127.0.0.1:{local_start.free_port()}").impact(["ab"])
    assert found["ab"].notes


def test_a_machine_without_ray_is_told_what_to_install(tmp_path: Path) -> None:
    """Run where only Ray is hidden: an import hook stands before the real one."""
    code = """
import socket, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "ray":
            raise ModuleNotFoundError(f"No module named {name!r}", name="ray")
sys.meta_path.insert(0, Hidden())
from raytui.ray.base import RayError
from raytui.ray.gcs import GcsRay
with socket.create_server(("127.0.0.1", 0)) as server:
    try:
        GcsRay(f"127.0.0.1:{server.getsockname()[1]}").observe()
    except RayError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'raytui[ray]'" in done.stdout


MONITORED = """
cluster_name: monitored
max_workers: 1
upscaling_speed: 1.0
idle_timeout_minutes: 5
provider: {type: local, head_ip: 127.0.0.2, worker_ips: [127.0.0.9]}
auth: {ssh_user: nobody}
docker: {}
head_node_type: local.cluster.node
available_node_types:
  local.cluster.node: {resources: {}, node_config: {}, min_workers: 0, max_workers: 1}
file_mounts: {}
file_mounts_sync_continuously: false
cluster_synced_files: []
rsync_exclude: []
rsync_filter: []
initialization_commands: []
setup_commands: []
head_setup_commands: []
worker_setup_commands: []
head_start_ray_commands: []
worker_start_ray_commands: []
"""


@pytest.mark.ray
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_cluster_that_rays_own_monitor_scales_is_not_taken_over(
    cluster: LocalCluster, tmp_path: Path, version: str
) -> None:
    config = tmp_path / "cluster.yaml"
    config.write_text(MONITORED)
    ip, port = local_start.node_ip(), local_start.free_port()
    log = tmp_path / "head.log"
    temp_dir = cluster.paths.ray_temp / version  # a short path, and looked at for leftovers
    with log.open("wb") as output:
        head = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
                f"--autoscaling-config={config}",
                f"--node-ip-address={ip}",
                f"--port={port}",
                f"--temp-dir={temp_dir}",
                f"--ray-client-server-port={local_start.free_port()}",
                f"--dashboard-port={local_start.free_port()}",
                "--dashboard-agent-listen-port=0",
                "--min-worker-port=0",
                "--max-worker-port=0",
                "--num-cpus=0",
                "--object-store-memory=100000000",
            ],
            env={
                **os.environ,
                "RAY_enable_autoscaler_v2": "1" if version == "v2" else "0",
                "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        ray = GcsRay(f"{ip}:{port}")
        ray.wait_ready(60)
        eventually(lambda: _refused(ray, cluster), within_s=40)
    finally:
        _end(head)


def _refused(ray: GcsRay, cluster: LocalCluster) -> bool:
    try:
        ray.take_over(cluster.spec)
    except RayError as error:
        return "Ray's own autoscaler" in str(error) and "--no-monitor" in str(error)
    return False


def _end(head: "subprocess.Popen[bytes]") -> None:
    members = psutil.Process(head.pid).children(recursive=True)
    head.terminate()
    head.wait(20)
    for process in members:
        if process.is_running():
            process.kill()
