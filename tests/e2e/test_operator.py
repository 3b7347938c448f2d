"""raytui's operator, installed by its chart, makes the pods of RayClusters and scales them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import helm_python as helm
import pytest

from raytui.backends.kubernetes.errors import NotFoundError
from raytui.config.locations import packaged
from tests.e2e.kube_rooms import Room, group
from tests.kubernetes.waiting import until
from tests.support.kube_cluster import KubeCluster, is_ready, kube_cluster
from tests.support.needs import missing

pytestmark = [pytest.mark.kubernetes, pytest.mark.ray, pytest.mark.slow]

_WHERE = """
@ray.remote(num_cpus=2)
def where():
    import socket
    return socket.gethostname()
print(ray.get(where.remote()))
"""


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeCluster]:
    """A cluster for the tests of this file."""
    missing("pods")
    with kube_cluster(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


class Operator:
    """The operator's pod, and what is done to it."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def pod(self) -> str:
        """Its pod."""
        (found,) = self._room.cluster.pods(self._room.namespace)
        return str(found["metadata"]["name"])

    def kill(self) -> None:
        """End it without a word; it is started again after a pause."""
        self._room.cluster.machine.kill(self._room.namespace, self.pod())


@pytest.fixture(scope="module")
def operator(
    kubernetes: KubeCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """The chart, installed in a namespace of its own for RayClusters everywhere."""
    home = Room(kubernetes, tmp_path_factory.mktemp("operator"))
    chart = packaged("charts") / "raytui-operator"
    to = {"kubeconfig_path": str(kubernetes.kubeconfig), "namespace": home.namespace}
    with helm.Config(**to) as config:
        config.install(str(chart), "raytui-operator")
    kubernetes.until_pods(
        home.namespace, lambda pods: pods and all(map(is_ready, pods)), "the operator is ready"
    )
    yield Operator(home)


@pytest.fixture
def rooms(kubernetes: KubeCluster, tmp_path: Path) -> Iterator[list[Room]]:
    """Two namespaces."""
    made = [Room(kubernetes, tmp_path / "one"), Room(kubernetes, tmp_path / "two")]
    yield made
    for room in made:
        room.clear()


def test_demand_brings_pods_of_the_group_that_fits_until_the_cluster_is_deleted(
    operator: Operator, rooms: list[Room]
) -> None:
    room = rooms[0]
    room.create("demo", group("small", 1), group("big", 2), enableInTreeAutoscaling=True)

    driver = room.drive(room.until_head("demo"), _WHERE)

    assert driver.said().startswith("demo-big-worker-")
    room.until("demo", lambda pods: not pods, "idle pods leave")
    _delete_all(room, "demo")


def test_operator_that_is_killed_makes_no_pod_twice_and_leaves_none_behind(
    operator: Operator, rooms: list[Room]
) -> None:
    scaled, fixed = rooms
    scaled.create("demo", group("small", 1), enableInTreeAutoscaling=True)
    fixed.create("demo", group("small", 1, replicas=1))
    for room in rooms:
        room.until("demo", lambda pods: pods, "there is a head", node_type="head")
    operator.kill()

    driver = scaled.drive(scaled.until_head("demo"), _WHERE.replace("=2", "=1"))
    scaled.until("demo", lambda pods: pods, "there is a worker")
    operator.kill()

    assert driver.said().startswith("demo-small-worker-")
    scaled.until("demo", lambda pods: not pods, "idle pods leave")
    fixed.until("demo", lambda pods: len(pods) == 1 and is_ready(pods[0]), "its replica stays")
    for room in rooms:
        assert len(_made(room)) == 2, "a head and a worker, and none twice"
    operator.kill()
    for room in rooms:
        _delete_all(room, "demo")


def _made(room: Room) -> list[str]:
    """Pods that were ever made in a namespace, by the API server's own log."""
    return [
        one["objectRef"]["name"]
        for one in room.cluster.plane.writes()
        if (one["verb"], one["objectRef"]["resource"]) == ("create", "pods")
        and one["objectRef"].get("namespace") == room.namespace
        and "subresource" not in one["objectRef"]
        and one["responseStatus"]["code"] == 201
    ]


def _delete_all(room: Room, name: str) -> None:
    """Delete a RayCluster: nothing that was made for it is left."""
    admin = room.cluster.admin
    admin.delete(f"{room.path}/{name}")

    def is_gone() -> bool:
        try:
            room.read(name)
        except NotFoundError:
            return True
        return False

    until(is_gone, f"{name} is gone", 60)
    # Its pods are told to end before it goes, and may take their time to.
    room.cluster.until_pods(room.namespace, lambda pods: not pods, "no pods are left", 15)
    assert admin.items(f"/api/v1/namespaces/{room.namespace}/services") == []
