"""What raytui's operator does not touch: RayClusters that somebody else drives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raytui.backends.kubernetes.errors import ConflictError
from raytui.backends.kubernetes.marks import FINALIZER
from raytui.backends.kubernetes.pod_store import PodStore
from raytui.operator.objects_kept import Objects
from tests.kubernetes.clusters import NAME, World, group
from tests.kubernetes.operating import operator
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]


def _why(world: World) -> str:
    """What its event says of a cluster that is left alone; empty while there is none."""
    found = world.admin.items(f"/api/v1/namespaces/{world.namespace}/events")
    return next((one["message"] for one in found if one["reason"] == "LeftAlone"), "")


def _write_status(world: World, status: Json) -> None:
    """As KubeRay does, soon after a RayCluster has come."""
    path = f"{world.path}/{NAME}/status"
    world.admin.patch(path, [{"op": "add", "path": "/status", "value": status}])


def _nothing_was_done(world: World, before: Json) -> bool:
    kinds = ("pods", "services")
    made = [world.admin.items(f"/api/v1/namespaces/{world.namespace}/{kind}") for kind in kinds]
    return made == [[], []] and world.read() == before


def test_cluster_of_kuberay_without_pods_is_left_alone(
    world: World, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu", replicas=1))
    _write_status(world, {"observedGeneration": 1, "state": "suspended"})
    before = world.read()

    with operator(kubeconfig, tmp_path):
        why = until(lambda: _why(world), "it says so")

        assert "has written its status" in why
        assert FINALIZER in why, "it says how the cluster is handed over"
        assert _nothing_was_done(world, before)


def test_cluster_that_is_handed_over_is_driven(
    world: World, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu", replicas=1))
    _write_status(world, {"observedGeneration": 1})
    with operator(kubeconfig, tmp_path):
        until(lambda: _why(world), "it is left alone")

        world.patch("/metadata/finalizers", [FINALIZER])

        until(lambda: world.admin.items(world.pods_path), "its pods are made")


def test_cluster_that_somebody_manages_is_left_alone(
    world: World, kubeconfig: Path, tmp_path: Path
) -> None:
    before = world.create(group("cpu", replicas=1), managedBy="kueue.x-k8s.io/multikueue")

    with operator(kubeconfig, tmp_path):
        why = until(lambda: _why(world), "it says so")

        assert "spec.managedBy is kueue.x-k8s.io/multikueue" in why
        assert _nothing_was_done(world, before)


def test_cluster_that_changed_since_it_was_judged_is_not_held(world: World) -> None:
    judged = world.create(group("cpu"))
    objects = Objects(judged, world.admin, PodStore(world.admin, world.namespace))
    _write_status(world, {"observedGeneration": 1})
    objects.take(world.read())

    with pytest.raises(ConflictError):
        objects.hold(judged)

    assert "finalizers" not in world.read()["metadata"]
