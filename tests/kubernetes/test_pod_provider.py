"""Worker pods that raytui makes itself: by launch request, once, wholly, and told in types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raytui.backends.base import (
    AuthError,
    CapacityError,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    QuotaError,
    TransientError,
)
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.operated import spec_for_operator
from raytui.backends.kubernetes.pod_provider import PodProvider
from raytui.backends.kubernetes.pod_store import PodStore
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.lifecycle import InstanceStatus
from tests.kubernetes.clusters import World, group, template, wish
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes

Json = dict[str, Any]


class Killed(BaseException):
    """The end of a process: nothing catches it."""


class Mortal(KubeSession):
    """Dies when it makes its nth pod: before that is sent, or before the answer is heard."""

    def __init__(self, session: KubeSession, at: int, *, sent: bool) -> None:
        super().__init__(session._access)
        self._left = at
        self._sent = sent

    def _once(self, method: str, *request: Any) -> Json:
        self._left -= method == "POST"
        if self._left > 0 or method != "POST":
            return super()._once(method, *request)
        if self._left == 0 and self._sent:
            super()._once(method, *request)
        raise Killed


class LosesAnswers(KubeSession):
    """Its first request for each pod is heard, and the answer is not."""

    def __init__(self, session: KubeSession) -> None:
        super().__init__(session._access)
        self.lost: set[str] = set()

    def create(self, path: str, body: Json) -> Json:
        made = super().create(path, body)
        if made["metadata"]["name"] not in self.lost:
            self.lost.add(made["metadata"]["name"])
            raise TransientError("the connection was closed")
        return made


@pytest.fixture
def started(world: World) -> Iterator[Callable[..., PodProvider]]:
    """Starts providers of the test's RayCluster, each with memory and watch of its own."""
    stores: list[PodStore] = []

    def start(session: KubeSession | None = None) -> PodProvider:
        asks = session or world.admin
        store = PodStore(asks, world.namespace)
        stores.append(store)
        store.start()
        assert store.wait(20)
        return PodProvider(spec_for_operator(world.read()), asks, world.namespace, pods=store)

    yield start
    for store in stores:
        store.close()


def test_a_launch_makes_pods_of_the_group_and_returns_them(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("gpu"), group("cpu"))

    came = started().launch(wish("cpu-r1", 3))

    assert {one.instance_id for one in came} == set(world.workers())
    assert {(one.node_type, one.request_id, one.status) for one in came} == {
        ("cpu", "cpu-r1", InstanceStatus.ALLOCATED)
    }


def test_what_was_launched_is_in_the_next_listing(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    provider = started()

    for number in range(20):
        came = provider.launch(wish(f"r{number}", 1))
        assert came[0].instance_id in {one.instance_id for one in provider.list_instances()}


def test_a_repeated_launch_makes_no_more(world: World, started: Callable[..., PodProvider]) -> None:
    world.create(group("cpu"))
    provider = started()
    first = provider.launch(wish("r1", 3))

    assert {one.instance_id for one in provider.launch(wish("r1", 3))} == {
        one.instance_id for one in first
    }
    assert len(world.workers()) == 3


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 5))
def test_a_launch_that_was_cut_short_is_completed_by_the_next_process(
    world: World, started: Callable[..., PodProvider], at: int, sent: bool
) -> None:
    world.create(group("cpu"))
    with pytest.raises(Killed):
        started(Mortal(world.admin, at, sent=sent)).launch(wish("r1", 4))
    before = set(world.workers())

    came = started().launch(wish("r1", 4))

    assert before <= {one.instance_id for one in came}
    assert len(world.workers()) == 4


@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_what_a_killed_process_has_made_the_next_one_knows(
    world: World, started: Callable[..., PodProvider], sent: bool
) -> None:
    world.create(group("cpu"))
    with pytest.raises(Killed):
        started(Mortal(world.admin, 2, sent=sent)).launch(wish("r1", 4))

    found = started().list_instances()

    assert {one.instance_id for one in found} == set(world.workers())
    assert {one.request_id for one in found} == {"r1"}


def test_a_pod_that_is_gone_is_not_made_again_for_its_request(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    provider = started()
    gone, left = provider.launch(wish("r1", 2))
    provider.terminate([gone.instance_id])

    assert [one.instance_id for one in provider.launch(wish("r1", 2))] == [left.instance_id]
    assert world.workers() == [left.instance_id]


def test_an_answer_that_is_lost_is_no_second_pod(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    session = LosesAnswers(world.admin)

    came = started(session).launch(wish("r1", 2))

    assert len(session.lost) == 2
    assert {one.instance_id for one in came} == set(world.workers())


def test_a_quota_leaves_those_that_came_and_is_told(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    provider = started()
    _limit(world, 2)

    with pytest.raises(PartialLaunchError) as caught:
        provider.launch(wish("r1", 40))

    assert isinstance(caught.value.cause, QuotaError)
    assert "exceeded quota" in str(caught.value)
    assert {one.instance_id for one in caught.value.launched} == set(world.workers())
    assert len(world.workers()) == 2
    assert world.admin.calls()["POST pods"] < 12, "what is refused is asked for again and again"


def test_all_or_nothing_takes_none_when_not_all_can_be_had(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    provider = started()
    _limit(world, 2)

    with pytest.raises(CapacityError, match="exceeded quota"):
        provider.launch(wish("r1", 3, whole=True))

    assert world.workers() == []
    assert provider.list_instances() == []


def test_what_admission_refuses_is_no_matter_of_rights(
    world: World, started: Callable[..., PodProvider]
) -> None:
    large = template()
    large["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "8"}}
    world.create(group("cpu", template=large))
    provider = started()
    limits = [{"type": "Container", "max": {"cpu": "2"}}]
    _make(world, "LimitRange", "limitranges", {"limits": limits})

    with pytest.raises(ConfigError, match="maximum cpu usage per Container is 2") as caught:
        provider.launch(wish("r1", 1))
    assert not isinstance(caught.value, AuthError)


def test_a_right_that_is_missing_is_named(
    world: World, started: Callable[..., PodProvider], plane: ControlPlane, tmp_path: Path
) -> None:
    world.create(group("cpu"))
    _allow(world, ["get", "list", "watch"])
    config = plane.kubeconfig(tmp_path / "user", user=USER, namespace=world.namespace)
    session = KubeSession(Access(kubeconfig=str(config)))

    with pytest.raises(AuthError, match='cannot create resource "pods"'):
        started(session).launch(wish("r1", 1))


def test_replicas_of_several_hosts_are_made_wholly(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("tpu", numOfHosts=4))

    assert len(started().launch(wish("r1", 5, "tpu"))) == 8
    replicas = _labels(world, "worker-group-replica-name")
    assert {len([one for one in replicas if one == name]) for name in replicas} == {4}
    assert sorted(_labels(world, "replica-host-index")) == [*"00112233"]
    assert sorted(_labels(world, "worker-group-replica-index")) == [*"00001111"]


def test_a_replica_that_cannot_have_all_its_hosts_has_none(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("tpu", numOfHosts=4))
    provider = started()
    _limit(world, 6)

    with pytest.raises(PartialLaunchError) as caught:
        provider.launch(wish("r1", 8, "tpu"))

    assert len(caught.value.launched) == 4
    assert len(world.workers()) == 4


def test_hosts_that_a_killed_process_left_count_as_lost_and_go_together(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("tpu", numOfHosts=4))
    with pytest.raises(Killed):
        started(Mortal(world.admin, 3, sent=False)).launch(wish("r1", 4, "tpu"))

    provider = started()
    left = provider.list_instances()
    assert {(one.status, one.detail) for one in left} == {
        (InstanceStatus.LOST, "not all hosts of its replica are there")
    }
    provider.terminate([left[0].instance_id])
    assert world.workers() == []


def test_the_lowest_free_place_is_given_again(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    provider = started()
    first, _ = provider.launch(wish("r1", 2))
    provider.terminate([first.instance_id])

    provider.launch(wish("r2", 2))

    assert sorted(_labels(world, "worker-group-replica-index")) == ["0", "1", "2"]


def test_terminated_pods_are_told_at_once(
    world: World, started: Callable[..., PodProvider], kubelet: Kubelet
) -> None:
    world.create(group("cpu"))
    provider = started()
    pending, runs = (provider.launch(wish(name, 1))[0].instance_id for name in ("r1", "r2"))
    kubelet.run(runs)

    provider.terminate([pending, runs, "nobody"])

    assert [(one.instance_id, one.status) for one in provider.list_instances()] == [
        (runs, InstanceStatus.TERMINATING)
    ]
    provider.terminate([pending, runs])


def test_another_pod_of_the_same_name_stays(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    name = started().launch(wish("r1", 1))[0].instance_id
    with PodStore(world.admin, world.namespace) as store:
        assert store.wait(20)
    deaf = PodProvider(spec_for_operator(world.read()), world.admin, world.namespace, pods=store)
    world.admin.delete(f"{world.pods_path}/{name}")
    started().launch(wish("r1", 1))

    deaf.terminate([name])

    assert world.workers() == [name]


def test_a_started_anew_operator_takes_its_workers_in_and_no_others(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    mine = started().launch(wish("r1", 2))
    foreign = world.admin.get(f"{world.pods_path}/{mine[0].instance_id}")
    foreign["metadata"] = {
        "name": "foreign",
        "labels": {**foreign["metadata"]["labels"], "app.kubernetes.io/created-by": "somebody"},
        "ownerReferences": foreign["metadata"]["ownerReferences"],
    }
    world.admin.create(world.pods_path, foreign)

    provider = started()

    found = provider.list_instances()
    assert {one.instance_id for one in found} == {one.instance_id for one in mine}
    assert all(provider.is_ours(one) for one in found)


def test_pods_of_a_cluster_that_had_the_name_before_are_not_its(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    started().launch(wish("r1", 1))
    world.admin.delete(f"{world.path}/demo")
    world.create(group("cpu"))

    provider = started()
    assert provider.list_instances() == []
    came = provider.launch(wish("r1", 1))
    assert [one.instance_id for one in provider.list_instances()] == [came[0].instance_id]


def test_the_head_is_where_its_pod_is(
    world: World, started: Callable[..., PodProvider], kubelet: Kubelet
) -> None:
    made = world.create(group("cpu"))
    assert made["metadata"]["uid"]
    provider = started()
    assert provider.head_address() == ""

    head = provider.launch(LaunchRequest("head", "headgroup", 1, is_head=True))[0]
    kubelet.run(head.instance_id, ip="10.1.2.3")

    until(lambda: provider.head_address() == "10.1.2.3:6379", "its address is known")
    assert provider.dashboard_url() == "http://10.1.2.3:8265"
    assert (
        provider.launch(LaunchRequest("head", "headgroup", 1, is_head=True))[0].instance_id
        == head.instance_id
    )
    assert [one.is_head for one in provider.list_instances()] == [True]


def test_nothing_is_listed_while_it_is_not_known(world: World) -> None:
    world.create(group("cpu"))
    store = PodStore(world.admin, world.namespace)
    provider = PodProvider(
        spec_for_operator(world.read()), world.admin, world.namespace, pods=store
    )

    with pytest.raises(TransientError):
        provider.list_instances()


def test_hundred_listings_ask_the_server_nothing(
    world: World, started: Callable[..., PodProvider]
) -> None:
    world.create(group("cpu"))
    provider = started()
    before = world.admin.calls()

    for _ in range(100):
        provider.list_instances()

    assert world.admin.calls() == before


def test_without_autoscaling_each_group_is_as_large_as_its_replicas(world: World) -> None:
    world.create(
        group("cpu", replicas=3, minReplicas=1, maxReplicas=2),
        group("tpu", replicas=2, numOfHosts=4),
        group("off", replicas=2, suspend=True),
    )

    spec = spec_for_operator(world.read())

    kinds = spec.node_types.values()
    sizes = {kind.name: (kind.min_workers, kind.max_workers) for kind in kinds}
    assert sizes == {"headgroup": (0, 0), "cpu": (2, 2), "tpu": (8, 8), "off": (0, 0)}
    assert spec.max_workers == 10


def test_with_autoscaling_each_group_has_its_limits(world: World) -> None:
    world.create(
        group("cpu", replicas=3, minReplicas=1, maxReplicas=5), enableInTreeAutoscaling=True
    )

    kind = spec_for_operator(world.read()).node_types["cpu"]

    assert (kind.min_workers, kind.max_workers) == (1, 5)


def _limit(world: World, pods: int) -> None:
    """No more pods than that in the namespace."""
    _make(world, "ResourceQuota", "resourcequotas", {"hard": {"pods": str(pods)}})
    path = f"/api/v1/namespaces/{world.namespace}/resourcequotas/one/status"
    # No controller is there to count: what nobody has counted limits nothing yet.
    status = {"hard": {"pods": str(pods)}, "used": {"pods": "0"}}
    world.admin.patch(path, [{"op": "add", "path": "/status", "value": status}])


def _make(world: World, kind: str, plural: str, spec: Json) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "one"}, "spec": spec}
    world.admin.create(f"/api/v1/namespaces/{world.namespace}/{plural}", body)


def _allow(world: World, verbs: list[str]) -> None:
    group_ = "rbac.authorization.k8s.io"
    path = f"/apis/{group_}/v1/namespaces/{world.namespace}"
    meta = {"name": "one"}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]
    role = {"apiVersion": f"{group_}/v1", "kind": "Role", "metadata": meta, "rules": rules}
    world.admin.create(f"{path}/roles", role)
    binding = {
        "apiVersion": f"{group_}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "subjects": [{"kind": "User", "name": USER, "apiGroup": group_}],
        "roleRef": {"kind": "Role", "name": "one", "apiGroup": group_},
    }
    world.admin.create(f"{path}/rolebindings", binding)


def _labels(world: World, name: str) -> list[str]:
    """What worker pods have as a label of Ray's."""
    found = world.admin.items(world.pods_path, labelSelector="ray.io/node-type=worker")
    return [pod["metadata"]["labels"][f"ray.io/{name}"] for pod in found]
