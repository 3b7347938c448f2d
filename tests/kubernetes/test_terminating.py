"""Terminations: the pods that were named go, no others, and none of them comes back."""

from __future__ import annotations

import pytest

from raytui.backends.base import ConfigError, TransientError
from raytui.backends.kubernetes.session import KubeSession
from tests.kubernetes.clusters import SHORT, World, group, wish
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes


def _up(world: World, count: int, **fields: object) -> list[str]:
    world.create(group("cpu", replicas=count, **fields))
    pods = count * int(str(fields.get("numOfHosts", 1)))
    until(lambda: len(world.workers()) == pods, "all workers")
    return world.workers()


def _is_leaving(world: World, name: str) -> bool:
    return "deletionTimestamp" in world.admin.get(f"{world.pods_path}/{name}")["metadata"]


def test_named_pods_go_and_the_others_stay(world: World, kuberay: KubeRay) -> None:
    first, second, third = _up(world, 3)

    world.provider().terminate([second])

    until(lambda: world.workers() == [first, third], "the second worker is gone")
    assert world.group()["replicas"] == 2
    assert world.group()["scaleStrategy"] == {"workersToDelete": [second]}
    assert kuberay.any_deleted == []


def test_pods_of_several_groups_go_in_one_patch(world: World, kuberay: KubeRay) -> None:
    world.create(group("cpu", replicas=2), group("gpu", replicas=1))
    until(lambda: len(world.workers()) == 3, "all workers")
    provider = world.provider()
    before = world.admin.calls().get("PATCH rayclusters", 0)

    provider.terminate([name for name in world.workers() if "gpu" in name] + world.workers()[:1])

    until(lambda: len(world.workers()) == 1, "two workers are gone")
    assert world.admin.calls()["PATCH rayclusters"] == before + 1


def test_unknown_pods_and_the_head_are_left_alone(world: World, kuberay: KubeRay) -> None:
    workers = _up(world, 1)
    head = next(i.instance_id for i in world.provider().list_instances() if i.is_head)

    world.provider().terminate(["no-such-pod", head])

    assert world.workers() == workers
    assert "scaleStrategy" not in world.group()


def test_repeated_termination_lowers_the_replicas_once(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    """The pod is still there, since it ends what it runs; or it is gone."""
    leaving, staying = _up(world, 2)
    kubelet.run(leaving)
    world.provider().terminate([leaving])
    until(lambda: _is_leaving(world, leaving), "the worker is on its way out")

    world.provider().terminate([leaving])
    kubelet.end(leaving)
    until(lambda: world.workers() == [staying], "the worker is gone")
    world.provider().terminate([leaving])

    assert world.group()["replicas"] == 1
    assert kuberay.any_deleted == []


def test_others_of_a_group_wait_for_pods_that_still_go(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    """Were the first name taken away too early, KubeRay would have one pod too many."""
    first, second, third = _up(world, 3)
    kubelet.run(first)
    world.provider().terminate([first])
    until(lambda: _is_leaving(world, first), "the first worker is on its way out")

    with pytest.raises(TransientError, match=f"has not deleted yet: {first}"):
        world.provider(patience=SHORT).terminate([second])
    assert world.group()["scaleStrategy"] == {"workersToDelete": [first]}
    kubelet.end(first)
    world.provider().terminate([second])

    until(lambda: world.workers() == [third], "two workers are gone")
    assert kuberay.any_deleted == []


def test_other_groups_do_not_wait(world: World, kuberay: KubeRay, kubelet: Kubelet) -> None:
    world.create(group("cpu", replicas=2), group("gpu", replicas=1))
    until(lambda: len(world.workers()) == 3, "all workers")
    first, second, other = world.workers()
    kubelet.run(first)
    world.provider().terminate([first])
    until(lambda: _is_leaving(world, first), "the first worker is on its way out")

    with pytest.raises(TransientError):
        world.provider(patience=SHORT).terminate([second, other])

    until(lambda: world.workers() == [first, second], "the worker of the other group is gone")


def test_pod_at_the_floor_is_replaced(world: World, kuberay: KubeRay) -> None:
    (broken,) = _up(world, 1, minReplicas=1)

    world.provider().terminate([broken])

    until(lambda: world.workers() and world.workers() != [broken], "another worker")
    assert world.group()["replicas"] == 1


def test_hosts_of_a_replica_go_together(world: World, kuberay: KubeRay) -> None:
    workers = _up(world, 2, numOfHosts=3)

    world.provider().terminate(workers[:1])

    until(lambda: len(world.workers()) == 3, "one replica is gone")
    assert world.group()["replicas"] == 1
    assert len(world.group()["scaleStrategy"]["workersToDelete"]) == 3
    assert kuberay.any_deleted == []


def test_group_is_smaller_though_kuberay_replaces_a_pod_that_ended_by_itself(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    """As that of a node whose Ray has left after its drain: the one in its place goes."""
    dead, alive = _up(world, 2)
    kubelet.run(alive)
    provider = world.provider()
    provider.list_instances()
    kubelet.bind(dead)
    kubelet.tell(dead, phase="Succeeded")

    provider.terminate([dead])

    until(lambda: world.workers() == [alive], "only the other worker is left")
    assert world.group()["replicas"] == 1
    assert kuberay.any_deleted == []


def test_pod_in_the_place_of_another_stays_when_ray_runs_on_it(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    (dead,) = _up(world, 1)
    provider = world.provider()
    provider.list_instances()
    kubelet.evict(dead)
    (new,) = until(lambda: [name for name in world.workers() if name != dead], "another one")
    kubelet.run(new)
    until(lambda: world.workers() == [new], "the dead one is gone")

    provider.terminate([dead])

    assert world.workers() == [new]
    assert world.group()["replicas"] == 1


def test_pod_of_a_request_does_not_go_in_place_of_another(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    (dead,) = _up(world, 1)
    provider = world.provider()
    provider.list_instances()
    kubelet.evict(dead)
    (wanted,) = provider.launch(wish("r1", 1))

    provider.terminate([dead])

    assert world.workers() == [wanted.instance_id]
    assert world.group()["replicas"] == 1
    assert "scaleStrategy" not in world.group()


def test_pod_whose_end_was_asked_for_twice_takes_no_other_with_it(
    world: World, kuberay: KubeRay
) -> None:
    first, second = _up(world, 2)
    provider = world.provider()
    provider.terminate([first])
    until(lambda: world.workers() == [second], "the first worker is gone")
    provider.terminate([second])
    until(lambda: not world.workers(), "both workers are gone")
    world.patch("/spec/workerGroupSpecs/0/replicas", 1)
    until(world.workers, "a worker that a person has asked for")

    provider.terminate([first, second])

    assert len(world.workers()) == 1
    assert world.group()["replicas"] == 1


def test_pod_that_a_daemon_before_had_told_to_go_takes_no_other_with_it(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    (leaving,) = _up(world, 1)
    kubelet.run(leaving)
    world.provider().terminate([leaving])
    until(lambda: _is_leaving(world, leaving), "the worker is on its way out")
    provider = world.provider()
    provider.list_instances()
    kubelet.end(leaving)
    until(lambda: not world.workers(), "the worker is gone")
    world.patch("/spec/workerGroupSpecs/0/replicas", 1)
    (other,) = until(world.workers, "a worker that a person has asked for")

    provider.terminate([leaving])

    assert world.workers() == [other]
    assert world.group()["replicas"] == 1


def test_termination_waits_for_kuberay_to_clear_away_what_has_ended(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    (dead,) = _up(world, 1)
    kuberay.working.clear()
    kubelet.evict(dead)

    with pytest.raises(TransientError, match=f"has not deleted yet: {dead}"):
        world.provider(patience=SHORT).terminate([dead])

    assert world.group()["replicas"] == 1


def test_cluster_that_is_scaled_by_others_is_left_alone(world: World, kuberay: KubeRay) -> None:
    workers = _up(world, 1)
    world.patch("/spec/enableInTreeAutoscaling", True)

    with pytest.raises(ConfigError, match="scaled by Ray's own autoscaler"):
        world.provider().terminate(workers)

    assert world.workers() == workers


def test_pod_of_a_group_that_is_gone_does_not_keep_others(world: World, kuberay: KubeRay) -> None:
    world.create(group("cpu", replicas=1), group("gpu", replicas=1))
    until(lambda: len(world.workers()) == 2, "both workers")
    cpu, gpu = world.workers()
    world.patch("/spec/workerGroupSpecs", [world.group(0)])

    with pytest.raises(ConfigError, match="no worker group gpu"):
        world.provider().terminate([cpu, gpu])

    until(lambda: world.workers() == [gpu], "the worker of the known group is gone")


def test_launch_after_a_termination_does_not_bring_the_pod_back(
    world: World, kuberay: KubeRay
) -> None:
    gone, staying = _up(world, 2)
    world.provider().terminate([gone])
    until(lambda: world.workers() == [staying], "the worker is gone")

    (new,) = world.provider().launch(wish("r1", 1))

    assert world.workers() == sorted([staying, new.instance_id])
    assert world.group()["replicas"] == 2


def test_termination_after_a_change_by_somebody_else_is_done_again(
    world: World, kuberay: KubeRay
) -> None:
    class Interrupted(KubeSession):
        def patch(self, path, operations, **query):  # type: ignore[no-untyped-def]
            if world.group()["replicas"] == 2:
                world.patch("/spec/workerGroupSpecs/0/replicas", 3)
                until(lambda: len(world.workers()) == 3, "the third worker")
            return super().patch(path, operations, **query)

    leaving, _ = _up(world, 2)

    world.provider(Interrupted(world.admin._access)).terminate([leaving])

    until(lambda: leaving not in world.workers() and len(world.workers()) == 2, "it is gone")
    assert kuberay.any_deleted == []
