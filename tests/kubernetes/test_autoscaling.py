"""The autoscaler's own loop over a RayCluster: the API server is real, only Ray is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from raytui.model.command import RequestResources, SetFloor, Terminate
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.snapshot import Row, Snapshot
from tests.kubernetes.autoscaled import Autoscaler, Ray
from tests.kubernetes.clusters import World, group, template
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]


@contextmanager
def _autoscaled(
    world: World, kubelet: Kubelet, *groups: dict[str, object], pods_end: bool = False
) -> Iterator[Autoscaler]:
    world.create(*groups, autoscalerOptions={"idleTimeoutSeconds": 1})
    with kubelet.running():
        yield Autoscaler(world, Ray(world, kubelet, pods_end=pods_end))


def _running(snapshot: Snapshot, name: str) -> int:
    return next(row.running for row in snapshot.types if row.name == name)


def _status(row: Row) -> str:
    assert row.member.instance is not None
    assert not row.member.instance.orphan
    return row.member.status.value


def _need(autoscaler: Autoscaler, count: int, **shape: float) -> None:
    bundles = ((Resources.of(shape), count),) if count else ()
    autoscaler.loop.command(RequestResources(bundles), "ann@host")


@pytest.mark.parametrize("pods_end", [False, True], ids=["containers restart", "pods end"])
def test_demand_brings_pods_of_the_right_group_and_idleness_takes_them_away(
    world: World, kuberay: KubeRay, kubelet: Kubelet, pods_end: bool
) -> None:
    big = group("big", template=template("8"))
    with _autoscaled(world, kubelet, group("small"), big, pods_end=pods_end) as autoscaler:
        _need(autoscaler, 2, CPU=8)
        autoscaler.run_until(lambda shown: _running(shown, "big") == 2, "two big pods run")
        assert world.group(0)["replicas"] == 0
        _need(autoscaler, 0)

        autoscaler.run_until(
            lambda shown: not world.workers() and world.group(1)["replicas"] == 0, "all are gone"
        )

        assert kuberay.any_deleted == []
        autoscaler.run_until(
            lambda shown: len(autoscaler.ledger.open_instances()) == 1, "only the head has a row"
        )
        assert len(kuberay.made) == 3, "none was made in place of one that was drained"


def test_idle_pods_that_are_ordered_away_are_not_replaced(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    with _autoscaled(world, kubelet, group("cpu"), pods_end=True) as autoscaler:
        autoscaler.loop.command(SetFloor("cpu", 2), "ann@host")
        autoscaler.run_until(lambda shown: _running(shown, "cpu") == 2, "two pods run")
        autoscaler.loop.command(SetFloor("cpu", 0), "ann@host")

        autoscaler.loop.command(Terminate(tuple(world.workers()), drain_s=300), "ann@host")

        autoscaler.run_until(
            lambda shown: not world.workers() and world.group()["replicas"] == 0, "all are gone"
        )
        assert len(kuberay.made) == 3


def test_loop_that_is_killed_and_started_anew_has_no_pod_twice(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    with _autoscaled(world, kubelet, group("cpu")) as autoscaler:
        autoscaler.loop.command(SetFloor("cpu", 4), "ann@host")
        autoscaler.loop.tick()
        autoscaler.start()

        autoscaler.run_until(lambda shown: _running(shown, "cpu") == 4, "four pods run")

        assert world.group()["replicas"] == 4
        assert len(kuberay.made) == 5


def test_pods_that_are_there_already_are_taken_in_and_not_doubled(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    with _autoscaled(world, kubelet, group("cpu", replicas=2, minReplicas=2)) as autoscaler:
        until(lambda: len(kuberay.made) == 3, "KubeRay has made them")

        first = autoscaler.run_until(lambda shown: len(shown.rows) > 1, "they are listed")

        assert [_status(row) for row in first.rows if not row.member.is_head] == ["allocated"] * 2
        autoscaler.run_until(lambda shown: _running(shown, "cpu") == 2, "both are ours")
        assert world.group()["replicas"] == 2
        assert len(kuberay.made) == 3


def test_hosts_of_a_replica_come_and_go_together(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    with _autoscaled(
        world, kubelet, group("tpu", numOfHosts=4, template=template("8"))
    ) as autoscaler:
        _need(autoscaler, 1, CPU=8)
        autoscaler.run_until(lambda shown: _running(shown, "tpu") == 4, "four hosts run")
        _need(autoscaler, 0)

        autoscaler.run_until(
            lambda shown: not world.workers() and world.group()["replicas"] == 0, "all are gone"
        )

        assert kuberay.any_deleted == []


def test_evicted_pod_is_lost_and_another_one_comes(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    with _autoscaled(world, kubelet, group("cpu", minReplicas=1)) as autoscaler:
        autoscaler.run_until(
            lambda shown: _running(shown, "cpu") == len(world.workers()) == 1, "the floor is kept"
        )
        (evicted,) = world.workers()
        kubelet.tell(evicted, phase="Failed", reason="Evicted", message="low on memory")

        orphans: list[str] = []

        def another_runs(shown: Snapshot) -> bool:
            orphans.extend(
                r.id for r in shown.rows if r.member.instance and r.member.instance.orphan
            )
            return evicted not in world.workers() and _running(shown, "cpu") == 1

        autoscaler.run_until(another_runs, "another one runs")

        assert len(world.workers()) == 1
        assert kuberay.any_deleted == []
        assert len(kuberay.made) == 3
        assert orphans == []


def test_ordered_termination_takes_the_named_pod(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    with _autoscaled(world, kubelet, group("cpu")) as autoscaler:
        autoscaler.loop.command(SetFloor("cpu", 3), "ann@host")
        autoscaler.run_until(lambda shown: _running(shown, "cpu") == 3, "three pods run")
        first, second, third = world.workers()
        autoscaler.loop.command(SetFloor("cpu", 2), "ann@host")

        autoscaler.loop.command(Terminate((second,)), "ann@host")

        autoscaler.run_until(lambda shown: second not in world.workers(), "it is gone")
        assert kuberay.any_deleted == []
        kept = {i.instance_id: i.status for i in autoscaler.ledger.open_instances()}
        assert kept[first] is kept[third] is InstanceStatus.RUNNING


def test_pod_that_somebody_deletes_is_lost_at_once_and_its_successor_taken_in(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    with _autoscaled(world, kubelet, group("cpu", minReplicas=1)) as autoscaler:
        autoscaler.run_until(lambda shown: _running(shown, "cpu") == 1, "the floor is kept")
        (deleted,) = world.workers()
        world.admin.delete(f"{world.pods_path}/{deleted}", gracePeriodSeconds=600)

        autoscaler.run_until(
            lambda shown: deleted not in world.workers() and _running(shown, "cpu") == 1,
            "another one runs",
        )

        told = [event.text for event in autoscaler.ledger.events(50)]
        assert f"cpu {deleted} is ended by somebody else" in told
        assert not [text for text in told if text.startswith("lost")]
        assert len(kuberay.made) == 3
        assert kuberay.any_deleted == []


def test_cluster_that_rays_own_autoscaler_scales_is_watched_until_it_does_not(
    world: World, kuberay: KubeRay, kubelet: Kubelet
) -> None:
    world.create(group("cpu", minReplicas=0), enableInTreeAutoscaling=True)
    with kubelet.running():
        autoscaler = Autoscaler(world, Ray(world, kubelet, pods_end=False))
        _need_nothing_done(autoscaler, world)

        world.patch("/spec/enableInTreeAutoscaling", False)
        world.end_head()
        autoscaler.run_until(lambda shown: not shown.watch_only, "it has seen that")
        _need(autoscaler, 2, CPU=1)  # the head has one
        autoscaler.run_until(lambda shown: _running(shown, "cpu") == 1, "it scales")


def _need_nothing_done(autoscaler: Autoscaler, world: World) -> None:
    before = world.read()["metadata"]["generation"]
    answer = autoscaler.loop.command(SetFloor("cpu", 2), "ann@host")
    shown = autoscaler.run_until(lambda shown: shown.rows, "the head is seen")
    assert not answer.ok
    assert answer.text == shown.watch_only
    assert "set spec.enableInTreeAutoscaling to false" in shown.watch_only
    assert world.read()["metadata"]["generation"] == before
