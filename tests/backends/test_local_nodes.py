"""The local provider with real Ray nodes."""

import signal
import socket
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import psutil
import pytest

from raytui.backends import local_start
from raytui.backends.base import LaunchRequest, TransientError
from raytui.backends.local import LocalProvider
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec
from raytui.model.state import Instance
from tests.support import processes
from tests.support.local_cluster import LocalCluster, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.ray


def find(cluster: LocalCluster, instance_id: str) -> Instance:
    return next(i for i in cluster.provider.list_instances() if i.instance_id == instance_id)


def leader(cluster: LocalCluster, instance_id: str) -> psutil.Process:
    (process,) = processes.of_instance(instance_id)
    return process


def test_a_node_joins_with_the_ids_labels_and_amounts_of_its_type(cluster: LocalCluster) -> None:
    cluster.start("joins", "gpu")
    node = cluster.node("joins-0")
    assert node.node_type == "gpu"
    assert (node.total.amount("CPU"), node.total.amount("GPU")) == (1, 1)
    assert node.total.amount("widget") == 3
    head = next(n for n in cluster.ray.observe().nodes if n.is_head)
    assert "CPU" not in head.total
    cluster.provider.terminate(["joins-0"])


def test_an_instance_tells_its_request_price_and_log(cluster: LocalCluster) -> None:
    cluster.start("tells")
    instance = find(cluster, "tells-0")
    assert (instance.request_id, instance.node_type) == ("tells", "cpu")
    assert (instance.price_per_hour, instance.status) == (0.5, InstanceStatus.SETTING_UP)
    eventually(lambda: "Ray runtime started" in Path(instance.log_path).read_text())
    assert cluster.node("tells-0").labels["disk"] == "ssd"
    cluster.provider.terminate(["tells-0"])
    assert Path(instance.log_path).exists()


def test_a_repeated_launch_returns_the_same_node(cluster: LocalCluster) -> None:
    (first,) = cluster.provider.launch(cluster.request("twice"))
    (again,) = cluster.provider.launch(cluster.request("twice"))
    assert first.instance_id == again.instance_id
    assert len(processes.of_instance("twice-0")) == 1
    cluster.provider.terminate(["twice-0"])


CRASH = """
import os, signal
from pathlib import Path
from raytui.backends.local import LocalProvider
from raytui.backends.local_state import StateFiles
from raytui.config.locations import ClusterPaths
from tests.support.local_cluster import spec
from raytui.backends.base import LaunchRequest

class DiesAt(StateFiles):
    def {method}(self, node):
        {before}
        os.kill(os.getpid(), signal.SIGKILL)

provider = LocalProvider(spec({name!r}), ClusterPaths({name!r}))
provider._files = DiesAt(provider._files.directory)
provider.launch(LaunchRequest({request!r}, "cpu", 1, head_address={address!r}))
"""


def crash_in_launch(cluster: LocalCluster, request: str, method: str, before: str) -> None:
    code = CRASH.format(
        method=method,
        before=before,
        name=cluster.spec.cluster_name,
        request=request,
        address=cluster.ray.gcs_address,
    )
    state_home = cluster.paths.dir.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**psutil.Process().environ(), "XDG_STATE_HOME": str(state_home)},
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


def test_a_node_spawned_by_a_launcher_killed_before_it_noted_the_pid_is_adopted(
    cluster: LocalCluster,
) -> None:
    crash_in_launch(cluster, "unnoted", "save", "pass")
    (orphan,) = processes.of_instance("unnoted-0")
    assert find(cluster, "unnoted-0").status is InstanceStatus.SETTING_UP

    cluster.provider.launch(cluster.request("unnoted"))

    assert [p.pid for p in processes.of_instance("unnoted-0")] == [orphan.pid]
    cluster.provider.terminate(["unnoted-0"])
    assert processes.is_gone(orphan)


def test_an_intent_whose_launcher_was_killed_before_the_spawn_is_carried_out(
    cluster: LocalCluster,
) -> None:
    crash_in_launch(cluster, "unspawned", "create", "super().create(node)")
    assert processes.of_instance("unspawned-0") == []
    assert all(i.instance_id != "unspawned-0" for i in cluster.provider.list_instances())

    cluster.provider.launch(cluster.request("unspawned"))

    assert len(processes.of_instance("unspawned-0")) == 1
    cluster.provider.terminate(["unspawned-0"])


def test_terminate_takes_workers_and_what_their_tasks_started(cluster: LocalCluster) -> None:
    cluster.start("busy", count=2)
    sleep = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    code = f"""
@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
def work():
    {sleep}
    time.sleep(600)
pending = [work.remote() for _ in range(4)]
print(flush=True)
time.sleep(600)
"""
    with cluster.driver(code) as driver:
        assert driver.stdout is not None
        driver.stdout.readline()
        asleep = eventually(lambda: [pids for pids in [sleepers(cluster)] if len(pids) == 4])[0]
        cluster.provider.terminate(["busy-0", "busy-1"])
        assert all(processes.is_gone(process) for process in asleep)
    left = [p for p in cluster.leftovers() if "sleep" in p]
    assert left == []
    cluster.ray.observe()  # the head is untouched


def sleepers(cluster: LocalCluster) -> list[psutil.Process]:
    found = processes.of_cluster(cluster.provider.marker, cluster.paths.ray_temp)
    return [process for process in found if process.name() == "sleep"]


def test_a_killed_raylet_is_seen_within_5_s_with_the_end_of_its_log(cluster: LocalCluster) -> None:
    cluster.start("killed")
    find(cluster, "killed-0")
    processes.raylet_below(leader(cluster, "killed-0").pid).kill()
    eventually(lambda: find(cluster, "killed-0").status is InstanceStatus.LOST, within_s=5)
    assert "raylet" in find(cluster, "killed-0").detail
    # Later `ray start` has ended too, and its own words are told.
    eventually(lambda: "exit code 1" in find(cluster, "killed-0").detail, within_s=15)
    assert "signal 9" in find(cluster, "killed-0").detail
    cluster.provider.terminate(["killed-0"])
    assert all(i.instance_id != "killed-0" for i in cluster.provider.list_instances())


def test_a_second_cluster_is_not_touched_when_it_or_the_first_goes(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    cluster.start("neighbour")
    with running("other", tmp_path) as other:
        assert other.provider.dashboard_url() != cluster.provider.dashboard_url()
        assert [i.instance_id for i in other.provider.list_instances()] == ["head-0"]
        assert {n.instance_id for n in other.ray.observe().nodes} == {"head-0"}
        cluster.provider.terminate(["neighbour-0"])
        assert len(other.ray.observe().nodes) == 1
    assert find(cluster, "head-0").status is InstanceStatus.SETTING_UP
    assert any(node.is_head for node in cluster.ray.observe().nodes)


def test_a_head_whose_port_was_taken_meanwhile_tries_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        stolen = thief.getsockname()[1]
        free_port = local_start.free_port

        first = iter([stolen])

        def raced(avoid: Collection[int] = ()) -> int:
            """The dashboard's first port is free when probed, and taken right after."""
            return next(first, 0) or free_port(avoid)

        monkeypatch.setattr(local_start, "free_port", raced)
        with running("raced", tmp_path) as cluster:
            url = cluster.ray.dashboard_url()
            assert url == cluster.provider.dashboard_url()
            assert not url.endswith(f":{stolen}")


def test_a_head_that_cannot_start_is_an_error_with_rays_words_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    paths = ClusterPaths("bad").make()
    bad = NodeType("head", Resources.of(object_store_memory=1))
    spec = ClusterSpec("bad", ProviderSpec("fake_multinode"), {"head": bad}, "head")
    provider = LocalProvider(spec, paths)
    with pytest.raises(TransientError, match="object store") as caught:
        provider.launch(LaunchRequest("head", "head", 1, is_head=True))
    assert "ray/_private" in caught.value.detail  # the way there, for whoever wants it
    assert provider.list_instances() == []
    assert processes.of_cluster(provider.marker, paths.ray_temp) == []
