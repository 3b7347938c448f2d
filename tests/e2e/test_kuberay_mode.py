"""KubeRay makes the pods, raytui's daemon in a Deployment of its own is the autoscaler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kube_rooms import Room, group
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until
from tests.support.kube_cluster import KubeCluster, kube_cluster
from tests.support.needs import missing

pytestmark = [pytest.mark.kubernetes, pytest.mark.ray, pytest.mark.slow]

_OURS = re.compile(r"/spec/workerGroupSpecs/[0-9]+/(replicas|scaleStrategy)")
_WHERE = """
@ray.remote(num_cpus=2)
def where():
    import socket
    return socket.gethostname()
print(ray.get(where.remote()))
"""
_TOGETHER = """
@ray.remote(num_cpus=1)
def work():
    time.sleep(2)
    return ray.get_runtime_context().get_node_id()
print(len(set(ray.get([work.remote() for _ in range(2)]))))
"""


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeCluster]:
    """A cluster for the tests of this file."""
    missing("pods")
    with kube_cluster(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@pytest.fixture
def room(kubernetes: KubeCluster, tmp_path: Path) -> Iterator[Room]:
    """A namespace, which is empty again after the test."""
    made = Room(kubernetes, tmp_path)
    yield made
    made.clear()


@pytest.fixture
def kuberay(kubernetes: KubeCluster, room: Room) -> Iterator[KubeRay]:
    """KubeRay, in this namespace."""
    made = KubeRay(kubernetes.admin, room.namespace, ray=True)
    with made.running():
        yield made


def test_job_brings_a_pod_of_the_group_that_fits_and_idleness_takes_it_away(
    room: Room, kuberay: KubeRay
) -> None:
    room.create("demo", group("small", 1), group("big", 2))
    room.install("demo")

    driver = room.drive(room.until_head("demo"), _WHERE)

    assert driver.said().startswith("demo-big-worker-")
    room.until("demo", lambda pods: not pods, "nobody is left")
    assert [name for name in kuberay.made if "small" in name] == []
    assert kuberay.any_deleted == []
    _only_replicas_were_patched(room)


def test_daemon_that_is_killed_or_loses_its_disk_makes_no_pod_twice(
    room: Room, kuberay: KubeRay
) -> None:
    room.create("demo", group("small", 1), autoscalerOptions={"idleTimeoutSeconds": 30})
    room.install("demo")
    head = room.until_head("demo")
    daemon = room.daemon("demo")

    driver = room.drive(head, _TOGETHER)
    until(lambda: room.read("demo")["spec"]["workerGroupSpecs"][0]["replicas"], "scaled up", 60)
    room.cluster.machine.kill(room.namespace, daemon)
    room.until("demo", lambda pods: len(pods) == 2, "two pods are made")
    room.cluster.admin.delete(f"/api/v1/namespaces/{room.namespace}/pods/{daemon}")

    assert driver.said() == "2\n"
    until(lambda: room.daemon("demo") != daemon, "another daemon", 60)
    assert len(room.pods("demo")) == 2
    assert len(kuberay.made) == 3
    assert kuberay.any_deleted == []
    _only_replicas_were_patched(room)


def _only_replicas_were_patched(room: Room) -> None:
    """All that any service account of the namespace has written, by the API server's own log."""
    user = f"system:serviceaccount:{room.namespace}:"
    written = [
        one for one in room.cluster.plane.writes() if one["user"]["username"].startswith(user)
    ]
    assert {(one["verb"], one["objectRef"]["resource"]) for one in written} == {
        ("patch", "rayclusters")
    }
    for one in written:
        assert "subresource" not in one["objectRef"]
        for operation in one["requestObject"]:
            assert operation["op"] == "test" or _OURS.fullmatch(operation["path"]), operation
