"""The watcher of spot notices on real Ray nodes: what it reads from IMDS reaches Ray's GCS."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.backends.marked_processes import end_argv, instance_mark
from raytui.model.state import NodeStatus, Notice, NoticeKind
from raytui.ray.tell_notice import NAMESPACE
from tests.aws.watching import watch, watchers
from tests.support.instance_metadata import LOOPBACK, Metadata, MetadataService, metadata_service
from tests.support.local_cluster import LocalCluster, eventually, running

pytestmark = [pytest.mark.ray, pytest.mark.slow]

WORK = """
@ray.remote(num_cpus=1)
def work(path):
    open(path, "w").write("started")
    while open(path).read() != "go on":
        time.sleep(0.05)
    return "done"
print(ray.get(work.remote({path!r})), flush=True)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """With a worker that the tests leave alive."""
    with running("spot-watch", tmp_path_factory.mktemp("state")) as started:
        started.start("stays")
        yield started


@pytest.fixture
def service() -> Iterator[MetadataService]:
    with metadata_service() as running_service:
        running_service.instances[LOOPBACK] = Metadata(spot=True)
        yield running_service


@pytest.fixture
def here(service: MetadataService) -> Metadata:
    """What the watchers are told."""
    return service.instances[LOOPBACK]


@pytest.fixture(autouse=True)
def nobody_watches_on() -> Iterator[None]:
    yield
    end = end_argv("RAYTUI_SPOT_WATCH=stays-0")
    subprocess.run(end, check=True, timeout=30, capture_output=True)


def notices(cluster: LocalCluster) -> list[Notice]:
    return [n for n in cluster.ray.observe().notices if n.instance_id == "stays-0"]


def test_a_busy_node_is_drained_and_may_finish_its_work(
    cluster: LocalCluster, service: MetadataService, here: Metadata, tmp_path: Path
) -> None:
    there = cluster.node("stays-0").node_id
    (worker,) = cluster.start("leaves")
    name, flag = worker.instance_id, tmp_path / "flag"
    on_it = f"NodeAffinitySchedulingStrategy({cluster.node(name).node_id!r}, soft=False)"
    start = "from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy\n"
    work = WORK.replace("work.remote", f"work.options(scheduling_strategy={on_it}).remote")
    with cluster.driver(start + work.format(path=str(flag))) as driver:
        assert driver.stdout is not None
        eventually(lambda: flag.exists() and flag.read_text() == "started")
        assert "watching for notices of interruption" in watch(service.url, name, tmp_path)
        deadline = round(time.time() + 120)
        here.taken_back = ("terminate", deadline)
        cluster.until(lambda _: cluster.node(name).status is NodeStatus.DRAINING, within_s=30)
        notice, _drained = [n for n in cluster.ray.observe().notices if n.instance_id == name]
        assert (notice.kind, notice.by) == (NoticeKind.INTERRUPTION, "AWS")
        assert notice.deadline == deadline
        assert time.time() - 30 < notice.at < time.time()
        flag.write_text("go on")
        assert driver.stdout.readline() == "done\n"
    eventually(lambda: not watchers(name), within_s=30)
    assert [n.node_id for n in cluster.ray.observe().nodes if not n.is_head] == [there]


def test_a_risk_is_written_down_and_the_node_works_on(
    cluster: LocalCluster, service: MetadataService, here: Metadata, tmp_path: Path
) -> None:
    watch(service.url, "stays-0", tmp_path)
    since = round(time.time() - 5)
    here.at_risk = since
    (notice,) = eventually(lambda: notices(cluster), within_s=30)
    assert (notice.kind, notice.at, notice.deadline) == (NoticeKind.REBALANCE, since, 0)
    assert cluster.node("stays-0").status is not NodeStatus.DRAINING


def test_tokens_that_expire_are_made_anew(
    cluster: LocalCluster, service: MetadataService, here: Metadata, tmp_path: Path
) -> None:
    watch(service.url, "stays-0", tmp_path)
    eventually(lambda: here.asked["meta-data/spot/instance-action"] >= 1)
    made = here.asked["api/token"]
    service.forget_tokens()
    eventually(lambda: here.asked["api/token"] == made + 1, within_s=30)
    seen = here.asked["meta-data/spot/instance-action"]
    eventually(lambda: here.asked["meta-data/spot/instance-action"] >= seen + 2, within_s=30)
    assert here.asked["api/token"] == made + 1
    assert len(watchers("stays-0")) == 1


def test_a_service_that_fails_for_a_while_is_asked_on(
    cluster: LocalCluster, service: MetadataService, here: Metadata, tmp_path: Path
) -> None:
    said = watch(service.url, "stays-0", tmp_path)
    log = Path(said.rpartition(", ")[2].rstrip(")\n"))
    service.fails_with = 503
    eventually(lambda: "no notices can be read" in log.read_text(), within_s=30)
    service.fails_with = 0
    eventually(lambda: "notices can be read again" in log.read_text(), within_s=30)


def test_one_watches_however_often_it_is_begun(
    cluster: LocalCluster, service: MetadataService, tmp_path: Path
) -> None:
    watch(service.url, "stays-0", tmp_path)
    (first,) = watchers("stays-0")
    watch(service.url, "stays-0", tmp_path)
    (second,) = watchers("stays-0")
    assert first.pid != second.pid


def test_what_ends_a_nodes_processes_ends_its_watcher(
    cluster: LocalCluster, service: MetadataService, tmp_path: Path
) -> None:
    (worker,) = cluster.start("ended")
    watch(service.url, worker.instance_id, tmp_path)
    assert len(watchers(worker.instance_id)) == 1
    end = end_argv(instance_mark(worker.instance_id))
    subprocess.run(end, check=True, timeout=60, capture_output=True)
    assert watchers(worker.instance_id) == []


def test_an_on_demand_instance_has_nothing_to_watch(
    cluster: LocalCluster, service: MetadataService, here: Metadata, tmp_path: Path
) -> None:
    here.spot = False
    said = watch(service.url, "stays-0", tmp_path)
    assert said == "no notices of interruption: this instance is on-demand\n"
    assert watchers("stays-0") == []


def test_without_instance_metadata_the_step_says_so_and_is_well(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))  # and never listens
        said = watch(f"http://{LOOPBACK}:{taken.getsockname()[1]}", "stays-0", tmp_path)
    assert said.startswith("no notices of interruption: no instance metadata here (")
    assert watchers("stays-0") == []


def test_without_ray_the_step_says_so_and_is_well(service: MetadataService, tmp_path: Path) -> None:
    said = watch(service.url, "nobody-0", tmp_path)
    assert said == "no notices of interruption: no Ray of this node runs here\n"


def test_a_notice_that_nobody_can_read_is_passed_over(cluster: LocalCluster) -> None:
    gcs = cluster.ray._connected()
    gcs.internal_kv_put(b"notice:sunset:stays-0", b"{}", True, NAMESPACE)
    gcs.internal_kv_put(b"notice:interruption:stays-0", b"not JSON", True, NAMESPACE)
    time_of_next_look = time.monotonic() + 3
    eventually(lambda: cluster.ray.observe() and time.monotonic() > time_of_next_look)
    assert all(n.kind is NoticeKind.REBALANCE for n in notices(cluster))
