"""The operator as a process of its own against a real API server."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from raytui.autoscaler.daemon.control import Control
from raytui.backends.kubernetes.summary import summary_of
from raytui.model.command import SetFloor
from tests.kubernetes.clusters import NAME, World, group, manifest
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.operating import Operator, operator
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]


def _pods(world: World, kind: str) -> list[Json]:
    return world.admin.items(world.pods_path, labelSelector=f"ray.io/node-type={kind}")


def _names(pods: list[Json]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods}


def _head(world: World) -> Json | None:
    return next(iter(_pods(world, "head")), None)


def _is_on_a_machine(world: World, pod: str) -> bool:
    return bool(world.admin.get(f"{world.pods_path}/{pod}")["spec"].get("nodeName"))


def _services(world: World) -> list[Json]:
    return world.admin.items(f"/api/v1/namespaces/{world.namespace}/services")


def _condition(world: World, kind: str) -> str:
    conditions = world.read().get("status", {}).get("conditions") or []
    return next((one["status"] for one in conditions if one["type"] == kind), "")


def _events(world: World) -> dict[str, Json]:
    found = world.admin.items(f"/api/v1/namespaces/{world.namespace}/events")
    return {event["reason"]: event for event in found}


def _is_gone(world: World) -> bool:
    return not world.admin.items(world.path)


def test_cluster_gets_its_head_its_service_and_its_replicas(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=2))

        until(lambda: len(world.workers()) == 2, "both workers")

        head = until(lambda: _head(world), "the head")
        for name in world.workers():
            until(lambda name=name: _is_on_a_machine(world, name), "the worker's machine")
            kubelet.start(name)
        assert _names(_services(world)) == {f"{NAME}-head-svc"}
        status = until(
            lambda: (
                (found := world.read().get("status", {})).get("availableWorkerReplicas") == 2
                and found
            ),
            "the status tells of both",
        )
        assert status["desiredWorkerReplicas"] == 2
        assert status["head"]["podName"] == head["metadata"]["name"]
        assert status["desiredCPU"] == "3"
        summary = until(
            lambda: (found := summary_of(world.read())) and found.launching == 2 and found,
            "the summary",
        )
        assert summary.trouble == ""
        assert "CreatedHeadPod" in _events(world)


def test_head_that_dies_is_made_again(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu"))
        first = until(lambda: _head(world), "the head")
        until(lambda: (_head(world) or {}).get("spec", {}).get("nodeName"), "it runs")
        kubelet.tell(first["metadata"]["name"], phase="Failed", reason="Evicted")

        until(
            lambda: (
                (found := _head(world))
                and found["metadata"]["uid"] != first["metadata"]["uid"]
                and found["spec"].get("nodeName")
            ),
            "another head runs",
        )


def test_deleted_cluster_leaves_nothing(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=2))
        until(lambda: len(world.workers()) == 2, "both workers")

        world.admin.delete(f"{world.path}/{NAME}")

        until(lambda: _is_gone(world), "the RayCluster is gone")
        until(lambda: not world.admin.items(world.pods_path), "all pods are gone")
        assert _services(world) == []


def test_cluster_that_is_deleted_while_no_operator_runs_leaves_nothing(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path) as running, kubelet.running():
        world.create(group("cpu", replicas=2))
        until(lambda: len(world.workers()) == 2, "both workers")
        running.kill()
        world.admin.delete(f"{world.path}/{NAME}")
        assert not _is_gone(world)

        running.start()

        until(lambda: _is_gone(world), "the RayCluster is gone")
        until(lambda: not world.admin.items(world.pods_path), "all pods are gone")
        assert _services(world) == []


def test_suspended_cluster_has_no_pods_until_it_is_resumed(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=1))
        until(world.workers, "the worker")

        world.patch("/spec/suspend", True)

        until(lambda: not world.admin.items(world.pods_path), "all pods are gone")
        until(lambda: _condition(world, "RayClusterSuspended") == "True", "it says so")
        assert world.read()["status"]["state"] == "suspended"
        world.patch("/spec/suspend", False)
        until(lambda: world.workers() and _head(world), "they are back")
        until(lambda: _condition(world, "RayClusterSuspended") == "False", "it says so")


def test_replicas_are_followed_up_and_down(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=1))
        until(world.workers, "the worker")
        world.patch("/spec/workerGroupSpecs/0/replicas", 3)
        until(lambda: len(world.workers()) == 3, "three workers")

        world.patch("/spec/workerGroupSpecs/0/replicas", 1)

        until(lambda: len(world.workers()) == 1, "one worker", 60)


def test_spec_that_makes_no_sense_is_told_and_changes_nothing(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=1))
        until(world.workers, "the worker")
        before = world.workers()

        world.patch("/spec/workerGroupSpecs/0/minReplicas", 20)

        event = until(lambda: _events(world).get("InvalidSpec"), "it says so")
        assert "minReplicas" in event["message"]
        assert world.workers() == before


def test_group_without_a_container_is_told_and_changes_nothing(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=1))
        before = until(world.workers, "the worker")

        world.patch("/spec/workerGroupSpecs/0/template/spec/containers", [])

        event = until(lambda: _events(world).get("InvalidSpec"), "it says so")
        assert "workerGroupSpecs[0].template.spec.containers" in event["message"]
        until(lambda: _condition(world, "ReplicaFailure") == "True", "its status says so")
        assert world.workers() == before


def test_cluster_of_kuberay_is_left_alone(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    labels = {
        "ray.io/cluster": NAME,
        "ray.io/node-type": "head",
        "ray.io/group": "headgroup",
        "app.kubernetes.io/created-by": "kuberay-operator",
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "theirs", "labels": labels},
        "spec": {"containers": [{"name": "ray", "image": "ray"}]},
    }
    world.admin.create(world.pods_path, body)
    world.create(group("cpu", replicas=1))

    with operator(kubeconfig, tmp_path):
        until(lambda: "LeftAlone" in _events(world), "it says so")

        assert _names(world.admin.items(world.pods_path)) == {"theirs"}
        assert "finalizers" not in world.read()["metadata"]


def test_order_of_a_person_outlives_the_operator(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path) as running, kubelet.running():
        world.create(group("cpu"), enableInTreeAutoscaling=True)
        with Control(_socket(running, world)) as control:
            assert control.send(SetFloor("cpu", 2)).ok
        until(lambda: len(world.workers()) == 2, "both workers")
        until(lambda: "raytui.io/memory" in world.read()["metadata"].get("annotations", {}), "kept")
        before = world.workers()
        running.kill()

        running.start()

        with Control(_socket(running, world)) as control:
            shown = next(control.snapshots(time.monotonic() + 10))
        assert [row.min for row in shown.types if row.name == "cpu"] == [2]
        assert world.workers() == before


def test_restarted_operator_asks_ray_for_workers_whose_head_is_not_ready(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    body = manifest(group("cpu", replicas=1))
    body["metadata"]["annotations"] = {"raytui.io/config": "timeouts: {register: 1}"}
    with operator(kubeconfig, tmp_path) as running, kubelet.running():
        world.admin.create(world.path, body)
        (worker,) = until(world.workers, "the worker")
        until(lambda: _is_on_a_machine(world, worker), "its machine")
        running.kill()
        kubelet.start(worker, since=datetime.now(UTC) - timedelta(hours=2))

        running.start()

        with Control(_socket(running, world)) as control:
            until(
                lambda: any(
                    source.name == "gcs" and source.error
                    for source in next(control.snapshots(time.monotonic() + 10)).sources
                ),
                "it has asked Ray, which does not answer",
            )
            shown = next(control.snapshots(time.monotonic() + 10))
        assert {row.id for row in shown.rows} >= {worker}
        assert world.workers() == [worker]


def _socket(running: Operator, world: World) -> Path:
    return until(lambda: running.socket(world.namespace, NAME), "the control socket")


def test_changed_template_replaces_pods_only_when_all_of_the_group_run(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=2))
        until(lambda: len(world.workers()) == 2, "both workers")
        before = world.workers()

        world.patch("/spec/workerGroupSpecs/0/template/spec/containers/0/image", "ray:new")

        until(lambda: "Rolling" in _events(world), "it says so")
        assert world.workers() == before, "they have not come up yet, and nothing replaces them"
