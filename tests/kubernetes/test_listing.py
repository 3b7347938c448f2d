"""Listings: each Ray pod of the cluster, how far it has come, and why no further."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from raytui.backends.base import AuthError, TransientError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.lifecycle import InstanceStatus
from raytui.model.state import Instance
from tests.kubernetes.clusters import SHORT, World, group, wish
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes


@pytest.fixture
def worker(world: World, kuberay: KubeRay) -> str:
    """The one worker's name."""
    world.create(group("cpu", replicas=1))
    (name,) = until(world.workers, "the worker")
    return str(name)


def _listed(world: World, name: str) -> Instance:
    found = world.provider().list_instances()
    return next(i for i in found if i.instance_id == name)


def test_head_and_workers_are_listed_and_strangers_are_not(
    world: World, kuberay: KubeRay, worker: str
) -> None:
    other = {"ray.io/cluster": "other", "ray.io/node-type": "worker"}
    cleanup = {"ray.io/cluster": "demo", "ray.io/node-type": "redis-cleanup"}
    spec = {"containers": [{"name": "main", "image": "main"}]}
    for name, labels in (("other", other), ("cleanup", cleanup)):
        meta = {"name": name, "labels": labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        world.admin.create(world.pods_path, pod)

    listed = world.provider().list_instances()

    assert sorted((i.node_type, i.is_head) for i in listed) == [
        ("cpu", False),
        ("headgroup", True),
    ]


def test_listing_is_one_request(world: World, worker: str) -> None:
    session = KubeSession(world.admin._access)

    world.provider(session).list_instances()

    assert session.calls() == {"GET pods": 1}


def test_pod_without_a_machine_is_allocated_and_says_why(
    world: World, worker: str, kubelet: Kubelet
) -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    }
    kubelet.tell(worker, phase="Pending", conditions=[condition])

    found = _listed(world, worker)

    assert found.status is InstanceStatus.ALLOCATED
    assert found.detail == (
        "Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    )


def test_image_that_cannot_be_had_is_said(world: World, worker: str, kubelet: Kubelet) -> None:
    kubelet.wait_for(worker, "ImagePullBackOff", 'Back-off pulling image "ray:nope"')

    found = _listed(world, worker)

    assert found.status is InstanceStatus.SETTING_UP
    assert found.detail == 'ray: ImagePullBackOff: Back-off pulling image "ray:nope"'


def test_container_that_dies_again_and_again_tells_of_its_last_end(
    world: World, worker: str, kubelet: Kubelet
) -> None:
    kubelet.run(worker)
    status = {
        "name": "ray",
        "image": "ray",
        "imageID": "",
        "ready": False,
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
    }
    kubelet.tell(worker, phase="Running", containerStatuses=[status])

    found = _listed(world, worker)

    assert found.detail == "ray: OOMKilled, exit code 137; CrashLoopBackOff: back-off 40s"
    assert found.ray_started_at == 0


def test_running_pod_has_an_address_and_tells_since_when_ray_runs(
    world: World, worker: str, kubelet: Kubelet
) -> None:
    kubelet.run(worker, ip="10.1.2.3", since=datetime(2026, 1, 1, tzinfo=UTC))

    found = _listed(world, worker)

    assert found.status is InstanceStatus.SETTING_UP
    assert found.ip == "10.1.2.3"
    assert found.ray_started_at == 1767225600.0
    assert found.launched_at > found.ray_started_at
    assert found.detail == ""


def test_evicted_pod_is_lost_with_kubernetes_words(
    world: World, kuberay: KubeRay, worker: str, kubelet: Kubelet
) -> None:
    kuberay.working.clear()
    kubelet.evict(worker, "The node was low on memory.")

    found = _listed(world, worker)

    assert found.status is InstanceStatus.LOST
    assert found.detail == "Evicted: The node was low on memory."


def test_pod_that_is_being_deleted_is_terminating(
    world: World, worker: str, kubelet: Kubelet
) -> None:
    kubelet.run(worker)
    world.admin.delete(f"{world.pods_path}/{worker}")

    assert _listed(world, worker).status is InstanceStatus.TERMINATING


def test_head_s_address_is_known_after_a_listing(
    world: World, kuberay: KubeRay, worker: str, kubelet: Kubelet
) -> None:
    provider = world.provider()
    head = next(i.instance_id for i in provider.list_instances() if i.is_head)
    assert (provider.head_address(), provider.dashboard_url()) == ("", "")
    kubelet.run(head, ip="10.0.0.1")

    provider.list_instances()

    assert provider.head_address() == "10.0.0.1:6379"
    assert provider.dashboard_url() == "http://10.0.0.1:8265"


def test_server_that_does_not_answer_fails_the_listing(world: World, worker: str) -> None:
    """What could not be read is unknown, and no empty cluster."""

    class Cut(KubeSession):
        def _once(self, *request):  # type: ignore[no-untyped-def]
            raise TransientError("no answer")

    with pytest.raises(TransientError, match="no answer"):
        world.provider(Cut(world.admin._access, attempts=1)).list_instances()


_RULES = {
    "get rayclusters": ("ray.io", "rayclusters", "get"),
    "patch rayclusters": ("ray.io", "rayclusters", "patch"),
    "list pods": ("", "pods", "list"),
}


@pytest.mark.parametrize("missing", ["", *_RULES])
def test_three_verbs_are_enough_and_each_one_that_is_missing_is_named(
    world: World, kuberay: KubeRay, plane: ControlPlane, missing: str
) -> None:
    world.create(group("cpu", replicas=1))
    (worker,) = until(world.workers, "the worker")
    _allow(world, {name: rule for name, rule in _RULES.items() if name != missing})
    config = plane.kubeconfig(plane.folder / "user.yaml", user=USER, namespace=world.namespace)
    provider = world.provider(KubeSession(Access(kubeconfig=str(config))), SHORT)

    def act() -> None:
        provider.list_instances()
        provider.launch(wish("r1", 1))
        provider.terminate([worker])

    if not missing:
        act()
        until(lambda: worker not in world.workers(), "the worker is gone")
        return
    verb, resource = missing.split()
    with pytest.raises(AuthError, match=f'"{USER}" cannot {verb} resource "{resource}"'):
        act()


def _allow(world: World, rules: dict[str, tuple[str, str, str]]) -> None:
    """Give the user a role of these verbs in the namespace, which takes a moment to count."""
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "scale"},
        "rules": [
            {"apiGroups": [api], "resources": [resource], "verbs": [verb]}
            for api, resource, verb in rules.values()
        ],
    }
    world.admin.create(f"{base}/roles", role)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "scale"},
        "subjects": [{"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "scale", "apiGroup": "rbac.authorization.k8s.io"},
    }
    world.admin.create(f"{base}/rolebindings", binding)
    for rule in rules.values():
        until(lambda rule=rule: _may(world, *rule), f"the user may {rule}")


def _may(world: World, api: str, resource: str, verb: str) -> bool:
    asked = {"namespace": world.namespace, "group": api, "resource": resource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": USER, "resourceAttributes": asked},
    }
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(world.admin.create(reviews, review)["status"]["allowed"])
