"""Launches: a worker group grows by what is missing, and each request gets pods of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from raytui.backends.base import (
    CapacityError,
    ConfigError,
    PartialLaunchError,
    QuotaError,
    TransientError,
)
from raytui.backends.kubernetes.provider import Patience
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.lifecycle import InstanceStatus
from tests.kubernetes.clusters import SHORT, World, group, quota, wish
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes


def test_launch_raises_the_replicas_and_returns_the_pods(world: World, kuberay: KubeRay) -> None:
    world.create(group("gpu"), group("cpu", replicas=1))
    until(lambda: len(world.workers()) == 1, "the first worker")

    came = world.provider().launch(wish("r1", 2))

    assert world.group(1)["replicas"] == 3
    assert world.group(0)["replicas"] == 0
    assert len(came) == 2
    assert {i.instance_id for i in came} < set(world.workers())
    assert {(i.node_type, i.request_id, i.status) for i in came} == {
        ("cpu", "r1", InstanceStatus.ALLOCATED)
    }


def test_nothing_else_of_the_resource_is_touched(world: World, kuberay: KubeRay) -> None:
    before = world.create(group("cpu"), autoscalerOptions={"idleTimeoutSeconds": 9, "new": "word"})

    world.provider().launch(wish("r1", 1))
    world.provider().terminate(world.workers())

    after = world.read()
    scaled = after["spec"]["workerGroupSpecs"][0]
    del scaled["scaleStrategy"]
    assert after["spec"] == before["spec"]
    assert "annotations" not in after["metadata"]
    assert "labels" not in after["metadata"]


def test_repeated_launch_gives_the_same_pods(world: World, kuberay: KubeRay) -> None:
    world.create(group("cpu"))
    first = world.provider().launch(wish("r1", 2))

    again = world.provider().launch(wish("r1", 2))

    assert {i.instance_id for i in again} == {i.instance_id for i in first}
    assert world.group()["replicas"] == 2


def test_launches_at_the_same_time_add_up(world: World, kuberay: KubeRay) -> None:
    world.create(group("cpu"))
    provider = world.provider()

    with ThreadPoolExecutor(6) as pool:
        came = list(pool.map(provider.launch, [wish(f"r{n}", 1) for n in range(6)]))

    assert world.group()["replicas"] == 6
    assert len({i.instance_id for one in came for i in one}) == 6


def test_launch_that_kuberay_does_not_answer_is_open_and_asks_for_no_more(
    world: World, kuberay: KubeRay
) -> None:
    world.create(group("cpu"))
    until(lambda: kuberay.made, "the head")
    kuberay.working.clear()
    with pytest.raises(TransientError, match="has made 0 of 2 pods of cpu"):
        world.provider(patience=SHORT).launch(wish("r1", 2))
    with pytest.raises(TransientError):
        world.provider(patience=SHORT).launch(wish("r1", 2))
    assert world.group()["replicas"] == 2

    kuberay.working.set()

    assert len(world.provider().launch(wish("r1", 2))) == 2
    assert world.group()["replicas"] == 2


def test_request_after_one_that_was_given_up_uses_what_kuberay_owes(
    world: World, kuberay: KubeRay
) -> None:
    world.create(group("cpu"))
    until(lambda: kuberay.made, "the head")
    kuberay.working.clear()
    with pytest.raises(TransientError):
        world.provider(patience=SHORT).launch(wish("r1", 2))

    with pytest.raises(TransientError):
        world.provider(patience=SHORT).launch(wish("r2", 3))

    assert world.group()["replicas"] == 3


def test_pods_that_come_late_are_listed_with_their_request(world: World, kuberay: KubeRay) -> None:
    world.create(group("cpu"))
    until(lambda: kuberay.made, "the head")
    kuberay.working.clear()
    with pytest.raises(TransientError):
        world.provider(patience=SHORT).launch(wish("r1", 1))
    kuberay.working.set()
    until(world.workers, "the worker")

    listed = world.provider().list_instances()

    assert {i.node_type: i.request_id for i in listed} == {"headgroup": "", "cpu": "r1"}


def test_pod_that_kuberay_makes_for_itself_belongs_to_no_request(
    world: World, kuberay: KubeRay
) -> None:
    world.create(group("cpu", replicas=1))
    until(world.workers, "the worker")

    world.provider().launch(wish("r1", 1))

    listed = world.provider().list_instances()
    assert sorted(i.request_id for i in listed if not i.is_head) == ["", "r1"]


def test_pod_that_came_since_the_newest_listing_is_as_good_as_a_new_one(
    world: World, kuberay: KubeRay
) -> None:
    """Who asks for a pod did not know of it: KubeRay has just made it to keep a floor."""
    world.create(group("cpu"))
    provider = world.provider()
    provider.list_instances()
    world.patch("/spec/workerGroupSpecs/0/minReplicas", 1)
    (made,) = until(world.workers, "the floor")

    (came,) = provider.launch(wish("r1", 1))

    assert came.instance_id == made
    assert world.workers() == [made]


def test_launch_goes_above_the_floor_that_kuberay_keeps_by_itself(
    world: World, kuberay: KubeRay
) -> None:
    world.create(group("cpu", replicas=0, minReplicas=2))
    until(lambda: len(world.workers()) == 2, "the floor")

    world.provider().launch(wish("r1", 1))

    assert world.group()["replicas"] == 3
    assert len(world.workers()) == 3


def test_max_replicas_is_kept_and_said(world: World, kuberay: KubeRay) -> None:
    world.create(group("cpu", maxReplicas=2))

    with pytest.raises(PartialLaunchError, match="maxReplicas of cpu is 2") as caught:
        world.provider().launch(wish("r1", 3))

    assert isinstance(caught.value.cause, QuotaError)
    assert len(caught.value.launched) == 2
    assert world.group()["replicas"] == 2


def test_launch_into_a_full_group_is_refused_without_a_patch(
    world: World, kuberay: KubeRay
) -> None:
    version = world.create(group("cpu", maxReplicas=0))["metadata"]["generation"]

    with pytest.raises(QuotaError, match="maxReplicas of cpu is 0"):
        world.provider().launch(wish("r1", 1))

    assert world.read()["metadata"]["generation"] == version


def test_hosts_of_a_replica_come_together(world: World, kuberay: KubeRay) -> None:
    world.create(group("tpu", numOfHosts=4))

    came = world.provider().launch(wish("r1", 1, "tpu"))

    assert len(came) == 4
    assert world.group()["replicas"] == 1


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"suspend": True}, "demo is suspended"),
        ({"enableInTreeAutoscaling": True}, "scaled by Ray's own autoscaler"),
    ],
)
def test_cluster_that_is_not_raytui_s_to_scale_is_left_alone(
    world: World, kuberay: KubeRay, spec: dict[str, bool], said: str
) -> None:
    world.create(group("cpu"), **spec)

    with pytest.raises(ConfigError, match=said):
        world.provider().launch(wish("r1", 1))

    assert world.group()["replicas"] == 0


def test_unknown_group_is_refused_with_those_that_are_there(world: World) -> None:
    world.create(group("cpu"), group("gpu"))

    with pytest.raises(ConfigError, match="no worker group tpu; it has cpu, gpu"):
        world.provider().launch(wish("r1", 1, "tpu"))


def test_change_by_somebody_else_is_kept(world: World, kuberay: KubeRay) -> None:
    """A person scales the other group between our reading and our writing."""

    class Interrupted(KubeSession):
        def patch(self, path, operations, **query):  # type: ignore[no-untyped-def]
            if world.group(1)["replicas"] == 0:
                world.patch("/spec/workerGroupSpecs/1/replicas", 2)
            return super().patch(path, operations, **query)

    world.create(group("cpu"), group("gpu"))
    session = Interrupted(world.admin._access)

    world.provider(session).launch(wish("r1", 1))

    assert [world.group(0)["replicas"], world.group(1)["replicas"]] == [1, 2]
    assert session.calls()["PATCH rayclusters"] >= 2


def test_group_that_was_moved_meanwhile_is_found_again(world: World, kuberay: KubeRay) -> None:
    class Interrupted(KubeSession):
        def patch(self, path, operations, **query):  # type: ignore[no-untyped-def]
            groups = world.read()["spec"]["workerGroupSpecs"]
            if groups[0]["groupName"] == "cpu":
                world.patch("/spec/workerGroupSpecs", groups[::-1])
            return super().patch(path, operations, **query)

    world.create(group("cpu"), group("gpu"))

    world.provider(Interrupted(world.admin._access)).launch(wish("r1", 1))

    replicas = {g["groupName"]: g["replicas"] for g in (world.group(0), world.group(1))}
    assert replicas == {"cpu": 1, "gpu": 0}


def test_used_up_quota_is_told_in_kubernetes_words_and_not_asked_for_again(
    world: World, kuberay: KubeRay
) -> None:
    world.create(group("cpu"))
    until(lambda: kuberay.made, "the head")
    allowed = quota(world, used=1, pods=1)

    for request in ("r1", "r2"):
        with pytest.raises(QuotaError, match="exceeded quota: few"):
            world.provider(patience=SHORT).launch(wish(request, 2))
    assert world.group()["replicas"] == 2

    kuberay.working.clear()  # until it is asked: what came before would be for those two
    world.admin.delete(allowed)
    noted = world.paths.dir / "kuberay_launches.json"
    with ThreadPoolExecutor(1) as pool:
        launched = pool.submit(world.provider().launch, wish("r3", 2))
        until(lambda: '"r3"' in noted.read_text(), "the launch is noted")
        kuberay.working.set()
        assert len(launched.result()) == 2
    assert world.group()["replicas"] == 2


def test_of_pods_that_are_of_use_only_together_none_is_kept(world: World, kuberay: KubeRay) -> None:
    world.create(group("cpu"))
    until(lambda: kuberay.made, "the head")
    quota(world, used=1, pods=3)

    with pytest.raises(CapacityError, match=r"has made 2 of 4 pods of cpu.*exceeded quota"):
        world.provider(patience=Patience(pods_s=2, deletes_s=15)).launch(wish("r1", 4, whole=True))

    until(lambda: world.group()["replicas"] == 2, "what came is given back")
    assert kuberay.any_deleted == []


def test_pods_that_are_of_use_only_together_are_not_asked_for_above_the_limit(
    world: World, kuberay: KubeRay
) -> None:
    world.create(group("cpu", maxReplicas=2))

    with pytest.raises(CapacityError, match="maxReplicas of cpu is 2: not all 3 can be had"):
        world.provider().launch(wish("r1", 3, whole=True))

    assert world.group()["replicas"] == 0


def test_launch_waits_for_pods_of_its_group_that_still_go(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    world.create(group("cpu", replicas=2))
    until(lambda: len(world.workers()) == 2, "both workers")
    leaving, _ = world.workers()
    kubelet.run(leaving)
    world.provider().terminate([leaving])
    until(
        lambda: world.admin.get(f"{world.pods_path}/{leaving}")["metadata"].get(
            "deletionTimestamp"
        ),
        "the worker is on its way out",
    )

    with pytest.raises(TransientError, match=f"has not deleted {leaving} yet"):
        world.provider(patience=SHORT).launch(wish("r1", 1))
    assert world.group()["replicas"] == 1
    kubelet.end(leaving)

    assert len(world.provider().launch(wish("r1", 1))) == 1
    assert world.group()["scaleStrategy"]["workersToDelete"] == [leaving]
    assert kuberay.any_deleted == []
