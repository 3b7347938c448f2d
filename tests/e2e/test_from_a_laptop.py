"""A RayCluster of KubeRay's that nobody of raytui's drives, seen and used from a laptop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kube_rooms import Room, group
from tests.kubernetes.kuberay import KubeRay
from tests.support.kube_cluster import KubeCluster, kube_cluster
from tests.support.needs import missing

pytestmark = [pytest.mark.kubernetes, pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeCluster]:
    """A cluster for the tests of this file."""
    missing("pods")
    with kube_cluster(tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


@pytest.fixture
def room(kubernetes: KubeCluster, tmp_path: Path) -> Iterator[Room]:
    """A namespace with a RayCluster whose head and one worker run."""
    made = Room(kubernetes, tmp_path)
    with KubeRay(kubernetes.admin, made.namespace, ray=True).running():
        made.create("demo", group("cpu", 1, replicas=1))
        made.until_head("demo")
        made.until("demo", lambda found: found, "a worker is made")
        yield made
    made.clear()


def test_cluster_that_nobody_drives_is_watched_and_used(room: Room) -> None:
    address = f"k8s:{room.namespace}/demo"
    before = room.read("demo")

    seen = json.loads(room.raytui("status", address, "--json"))
    assert "raytui k8s install demo" in seen["autoscaler"]["watch_only"]
    head = room.until_head("demo")
    assert room.raytui("exec", address, "hostname").strip() == head
    job = room.raytui("k8s", "-n", room.namespace, "job", "submit", "demo", "--", "echo", "42")
    assert "42" in job.splitlines()

    assert room.read("demo")["metadata"]["generation"] == before["metadata"]["generation"]
