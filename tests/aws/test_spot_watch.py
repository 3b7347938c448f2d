"""The watcher of spot notices, on a real Ray node: what it reads from IMDS reaches Ray's GCS."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from raytui.backends.marked_processes import INSTANCE_VARIABLE
from raytui.model.state import NodeStatus
from raytui.provisioning.spot_watching import watch_command
from tests.support.instance_metadata import LOOPBACK, Metadata, MetadataService, metadata_service
from tests.support.local_cluster import LocalCluster, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with running("spot-watch", tmp_path_factory.mktemp("state")) as started:
        yield started


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as running_service:
        running_service.instances[LOOPBACK] = Metadata(spot=True)
        yield running_service


def watch(service_url: str, instance_id: str, home: Path) -> str:
    """Run the step as a set-up does; returns what it says."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        INSTANCE_VARIABLE: instance_id,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": service_url,
    }
    command = ["bash", "-c", watch_command(instance_id)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def watchers(instance_id: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["environ"]):
        environment = process.info["environ"] or {}
        if environment.get("RAYTUI_SPOT_WATCH") == instance_id and process.status() != "zombie":
            found.append(process)
    return found


WORK = """
@ray.remote(num_cpus=1)
def work(path):
    open(path, "w").write("started")
    while open(path).read() != "go on":
        time.sleep(0.05)
    return "done"
print(ray.get(work.remote({path!r})), flush=True)
"""


def test_a_busy_node_is_drained_and_finishes_its_work(
    cluster: LocalCluster, service: MetadataService, tmp_path: Path
) -> None:
    (worker,) = cluster.start("noticed")
    name, flag = worker.instance_id, tmp_path / "flag"
    with cluster.driver(WORK.format(path=str(flag))) as driver:
        assert driver.stdout is not None
        eventually(lambda: flag.exists() and flag.read_text() == "started")
        assert "watching for notices" in watch(service.url, name, tmp_path)
        print(watchers(name)[0].memory_info(), watchers(name)[0].memory_full_info())
        deadline = round(time.time() + 120)
        service.instances[LOOPBACK].taken_back = ("terminate", deadline)
        cluster.until(lambda _: cluster.node(name).status is NodeStatus.DRAINING, within_s=30)
        print(watchers(name)[0].memory_info())
        flag.write_text("go on")
        assert driver.stdout.readline() == "done\n"
    eventually(lambda: not watchers(name), within_s=30)
