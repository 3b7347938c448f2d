"""Pods that do not start: typed, given up in their time, and tried again without a storm."""

from __future__ import annotations

from typing import Any

import pytest

from raytui.autoscaler.explain import explain
from raytui.backends.kubernetes.pod_failures import obstacle_of
from raytui.model.failure import FailureKind, Obstacle
from raytui.model.reason import Why
from raytui.model.snapshot import Snapshot
from tests.kubernetes.clusters import World, group, quota, template
from tests.kubernetes.failing_pods import FailingPods, Fault, failures_of
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay

_K = FailureKind
Json = dict[str, Any]
_MINUTES = 60.0
_NO_MACHINE = "0/3 nodes are available: 3 Insufficient cpu."
_ZONE = "topology.kubernetes.io/zone"


def _unscheduled(reason: str = "Unschedulable", message: str = _NO_MACHINE) -> Json:
    return {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}


def _container(**state: Json) -> Json:
    return {"name": "ray", "state": state}


def _waiting(reason: str, message: str = "") -> Json:
    return {"containerStatuses": [_container(waiting={"reason": reason, "message": message})]}


@pytest.mark.parametrize(
    ("status", "obstacle"),
    [
        ({"phase": "Running", "containerStatuses": [_container(running={})]}, None),
        (_waiting("ContainerCreating"), None),
        (
            {"conditions": [_unscheduled()]},
            Obstacle(_K.CAPACITY, f"Unschedulable on {_ZONE}=b: {_NO_MACHINE}"),
        ),
        (
            {"conditions": [_unscheduled("SchedulingGated", "waits for its queue")]},
            Obstacle(_K.QUOTA, f"SchedulingGated on {_ZONE}=b: waits for its queue"),
        ),
        (
            _waiting("InvalidImageName", "couldn't parse image"),
            Obstacle(_K.CONFIG, "ray: InvalidImageName: couldn't parse image", heals=False),
        ),
        (
            _waiting("ImagePullBackOff", "not found"),
            Obstacle(_K.CONFIG, "ray: ImagePullBackOff: not found"),
        ),
        (
            _waiting("CreateContainerConfigError", 'secret "s3" not found'),
            Obstacle(_K.CONFIG, 'ray: CreateContainerConfigError: secret "s3" not found'),
        ),
        (
            {"initContainerStatuses": _waiting("CrashLoopBackOff")["containerStatuses"]},
            Obstacle(_K.SETUP, "ray: CrashLoopBackOff"),
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on memory"},
            Obstacle(_K.CAPACITY, "Evicted: low on memory"),
        ),
        (
            {"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough"},
            Obstacle(_K.CAPACITY, "OutOfcpu: Node didn't have enough"),
        ),
        (
            {"phase": "Failed", "reason": "Terminated", "message": "imminent node shutdown"},
            Obstacle(_K.INTERRUPTED, "Terminated: imminent node shutdown"),
        ),
        (
            {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}]},
            Obstacle(_K.INTERRUPTED, ""),
        ),
        ({"reason": "NodeLost"}, Obstacle(_K.INTERRUPTED, "NodeLost")),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    _container(terminated={"exitCode": 137, "reason": "OOMKilled"})
                ],
            },
            Obstacle(_K.SETUP, "ray: OOMKilled, exit code 137"),
        ),
    ],
)
def test_what_kubernetes_says_has_a_kind_and_keeps_its_words(
    status: Json, obstacle: Obstacle | None
) -> None:
    pod = {"spec": {"nodeSelector": {_ZONE: "b"}}, "status": status}

    assert obstacle_of(pod) == obstacle


# -- in the loop ------------------------------------------------------------------------------


def _unschedulable(kubelet: Kubelet, name: str) -> None:
    kubelet.tell(name, phase="Pending", conditions=[_unscheduled()])


def _bad_name(kubelet: Kubelet, name: str) -> None:
    kubelet.wait_for(name, "InvalidImageName", "couldn't parse image reference")


def _no_image(kubelet: Kubelet, name: str) -> None:
    kubelet.wait_for(name, "ImagePullBackOff", 'Back-off pulling image "ray:nope"')


def _crashes(kubelet: Kubelet, name: str) -> None:
    kubelet.wait_for(name, "CrashLoopBackOff", "back-off 10s restarting failed container")


def _runs(kubelet: Kubelet, name: str) -> None:
    kubelet.run(name)


_LOOP = [pytest.mark.kubernetes, pytest.mark.slow]
_GROUP = group("cpu", template=template("4"))


def _running(shown: Snapshot) -> int:
    return next(row.running for row in shown.types if row.name == "cpu")


@pytest.mark.parametrize(
    ("fault", "kind", "words", "most"),
    [
        pytest.param(_bad_name, _K.CONFIG, "ray: InvalidImageName: couldn't", 6, marks=_LOOP),
        pytest.param(_no_image, _K.CONFIG, "ray: ImagePullBackOff: Back-off", 4, marks=_LOOP),
        pytest.param(_crashes, _K.SETUP, "ray: CrashLoopBackOff: back-off 10s", 6, marks=_LOOP),
        pytest.param(_unschedulable, _K.CAPACITY, "Unschedulable: 0/3 nodes", 8, marks=_LOOP),
    ],
)
def test_pods_that_fail_block_their_group_and_few_are_made_in_ten_minutes_more(
    world: World,
    kuberay: KubeRay,
    kubelet: Kubelet,
    fault: Fault,
    kind: FailureKind,
    words: str,
    most: int,
) -> None:
    cluster = FailingPods(world, kubelet, fault, _GROUP, timeouts={"pending": 120})
    cluster.need(2, CPU=4)

    shown = cluster.until(failures_of, 6 * _MINUTES)

    (failure,) = failures_of(shown)
    assert failure.kind is kind
    assert words in failure.message
    (blocked,) = {
        explain(o.reason, shown.taken_at) for o in shown.outcomes if o.reason.why is Why.BACKING_OFF
    }
    assert blocked.startswith(f"cpu: {kind} (“{words}")
    shown = cluster.pass_time(10 * _MINUTES)
    assert 2 < len(cluster.made) <= most
    (failure,) = failures_of(shown)
    assert failure.count >= len(cluster.made) // 2 - 1, "the pause grows with each try"
    assert kuberay.any_deleted == []


@pytest.mark.kubernetes
@pytest.mark.slow
def test_pod_without_a_machine_is_waited_for_as_long_as_a_new_machine_may_take(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    """Kubernetes' own autoscaler adds machines for pods that are pending, and only for them."""
    cluster = FailingPods(world, kubelet, _unschedulable, _GROUP)
    cluster.need(2, CPU=4)

    shown = cluster.pass_time(14 * _MINUTES)
    assert not failures_of(shown)
    assert len(cluster.made) == 2
    cluster.befall(_runs)

    cluster.until(lambda shown: _running(shown) == 2, _MINUTES)


@pytest.mark.kubernetes
@pytest.mark.slow
def test_error_that_passes_in_time_is_none_and_one_that_passes_later_is_forgotten(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    cluster = FailingPods(world, kubelet, _no_image, _GROUP)
    cluster.need(1, CPU=4)
    assert not failures_of(cluster.pass_time(4 * _MINUTES))
    cluster.until(failures_of, 2 * _MINUTES)
    cluster.fault = _runs

    shown = cluster.until(_running, 4 * _MINUTES)

    assert not failures_of(shown)
    assert len(cluster.made) == 2


@pytest.mark.kubernetes
@pytest.mark.slow
def test_used_up_quota_is_a_quota_failure_and_its_group_waits(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    cluster = FailingPods(world, kubelet, _runs, _GROUP)
    cluster.pass_time(10)
    quota(world, used=1, pods=1)
    cluster.need(2, CPU=4)

    shown = cluster.until(failures_of, 5 * _MINUTES)

    (failure,) = failures_of(shown)
    assert failure.kind is FailureKind.QUOTA
    assert "exceeded quota" in failure.message
    assert cluster.pass_time(2 * _MINUTES).outcomes[0].reason.why is Why.BACKING_OFF
    assert cluster.made == []
