"""Nodes that leave: the drain told, the deadline kept, the provider told, verified gone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from raytui.autoscaler.explain import explain
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.orphans import orphans_in
from raytui.backends.base import LaunchRequest, ProviderError, TransientError
from raytui.backends.fake import FakeProvider
from raytui.model.command import HoldNodes, SetFloor, SweepOrphans, Terminate
from raytui.model.leaving import OrphanPolicy, RemovalRules, Share
from raytui.model.lifecycle import InstanceStatus
from raytui.model.reason import Why
from raytui.model.spec import Offering
from raytui.model.state import Instance
from raytui.ray.base import DrainAnswer, RayError
from tests.support.clusters import kind, spec
from tests.support.world import World, tasks

SMALL = kind("small", 0.2, CPU=4, max=20)


class Drains:
    """Stands before a world's Ray: keeps every drain call, and may refuse or fail them."""

    def __init__(self, world: World) -> None:
        self.calls: list[tuple[bool, float]] = []
        self.error = ""
        self.refusal = ""
        self._drain = world.ray.drain
        world.ray.drain = self.drain

    def drain(self, node_id: str, *, idle_only: bool, message: str, deadline: float) -> DrainAnswer:
        self.calls.append((idle_only, deadline))
        if self.error:
            raise RayError(self.error)
        if self.refusal:
            return DrainAnswer(False, self.refusal)
        return self._drain(node_id, idle_only=idle_only, message=message, deadline=deadline)


class Terminations:
    """Stands before a world's provider: keeps every terminate call; some may fail or linger."""

    def __init__(self, world: World) -> None:
        self.calls: list[tuple[float, tuple[str, ...]]] = []
        self.bad: set[str] = set()
        self.lingers = False
        self._world = world
        self._terminate = world.provider.terminate
        world.provider.terminate = self.terminate

    def terminate(self, instance_ids: Sequence[str]) -> None:
        self.calls.append((self._world.now, tuple(instance_ids)))
        bad = self.bad & set(instance_ids)
        if bad:
            raise TransientError(f"InternalError: {min(bad)}")
        if not self.lingers:
            self._terminate(instance_ids)


def running(count: int):
    return lambda snapshot: snapshot.types[1].running == count


def with_workers(world: World, count: int) -> list[str]:
    world.order(SetFloor("small", count))
    world.run_until(running(count))
    return sorted(world.workers())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(spec(SMALL, idle_s=30), tmp_path / "ledger.db")


@pytest.fixture
def busy(tmp_path: Path) -> World:
    """One worker that is busy for long."""
    world = World(spec(SMALL), tmp_path / "l.db", streams=[tasks(4, 100_000, CPU=1)])
    world.ray.settle()
    world.run_until(running(1))
    world.run_until(lambda s: s.rows[1].member.node.idle_since == 0)
    return world


def gone(world: World, name: str):
    return lambda _: name not in world.provider.instances


class TestDrains:
    def test_an_idle_node_that_took_work_meanwhile_stays(self, world: World) -> None:
        (name,) = with_workers(world, 1)
        drains = Drains(world)
        drains.refusal = "The node to be idle terminated is no longer idle."
        world.order(SetFloor("small", 0))
        world.run_until(lambda _: bool(drains.calls))
        assert name in world.provider.instances
        assert world.snapshot.row(name).member.status is InstanceStatus.RUNNING
        assert f"kept {name}: The node to be idle terminated is no longer idle." in world.text()
        world.run()
        assert explain(world.snapshot.row(name).reason, world.now).startswith("busy: work had come")

    def test_what_ray_refused_is_not_asked_again_at_once(self, world: World) -> None:
        (name,) = with_workers(world, 1)
        drains = Drains(world)
        drains.refusal = "The node to be idle terminated is no longer idle."
        world.order(SetFloor("small", 0))
        world.run(100)
        assert 2 <= len(drains.calls) <= 4
        drains.refusal = ""
        world.run_until(gone(world, name), within=40)

    def test_the_deadline_holds_though_ray_cannot_be_told(self, busy: World) -> None:
        (name,) = busy.workers()
        drains = Drains(busy)
        drains.error = "deadline exceeded"
        busy.order(Terminate((name,), drain_s=20))
        busy.run(18)
        assert name in busy.provider.instances
        busy.run(4)
        assert name not in busy.provider.instances
        assert len(drains.calls) > 5, "it goes on trying"
        assert busy.text().count("not drained yet: deadline exceeded") == 1

    def test_the_deadline_holds_though_ray_is_silent(self, busy: World) -> None:
        (name,) = busy.workers()
        busy.order(Terminate((name,), drain_s=20))
        busy.run(2)
        busy.ray.silent = True
        busy.run(15)
        assert name in busy.provider.instances
        busy.run(8)
        assert name not in busy.provider.instances
        assert f"{name} was out of sight at its deadline" in busy.text()

    def test_what_must_leave_is_not_for_ray_to_refuse(self, busy: World) -> None:
        (name,) = busy.workers()
        drains = Drains(busy)
        drains.refusal = "no"
        busy.order(Terminate((name,), drain_s=20))
        busy.run(10)
        assert busy.snapshot.row(name).member.status is InstanceStatus.DRAINING
        drains.refusal = ""
        busy.run(3)
        assert busy.snapshot.row(name).member.node.status.value == "draining"

    def test_after_a_restart_ray_is_told_again_and_the_deadline_is_the_same(self, busy) -> None:
        (name,) = busy.workers()
        busy.order(Terminate((name,), drain_s=20))
        busy.run(5)
        drains = Drains(busy)
        busy.boot()
        busy.run(5)
        assert drains.calls == [(False, pytest.approx(busy.now + 10))]
        busy.run_until(gone(busy, name), within=13)
        assert "was busy at its deadline after 0m2" in busy.text()

    def test_a_node_that_ray_does_not_list_for_a_moment_is_not_cut(self, busy: World) -> None:
        (name,) = busy.workers()
        busy.order(Terminate((name,), drain_s=60))
        busy.run(3)
        look = busy.ray.observe
        busy.ray.observe = lambda: msgspec.structs.replace(look(), nodes=look().nodes[:1])
        busy.run(4)
        assert name in busy.provider.instances
        busy.ray.observe = look
        busy.run(20)
        assert name in busy.provider.instances
        assert busy.snapshot.row(name).member.status is InstanceStatus.DRAINING

    def test_an_order_without_a_time_has_the_one_of_the_rules(self, busy: World) -> None:
        (name,) = busy.workers()
        busy.spec = msgspec.structs.replace(busy.spec, removal=RemovalRules(45.0))
        busy.reconciler.reload(busy.spec)
        busy.order(Terminate((name,)))
        (drain,) = busy.reconciler.memory.drains
        assert drain.deadline - busy.now == 45


class TestPace:
    def test_idle_nodes_leave_no_faster_than_the_budget(self, tmp_path: Path) -> None:
        rules = RemovalRules(max_draining_idle=Share(2))
        ruled = msgspec.structs.replace(spec(SMALL, idle_s=30), removal=rules)
        world = World(ruled, tmp_path / "ledger.db")
        with_workers(world, 7)
        terminations = Terminations(world)
        terminations.lingers = True
        world.order(SetFloor("small", 0))
        world.run(60)
        assert sum(len(ids) for _, ids in terminations.calls) == 2
        held_up = [r for r in world.snapshot.rows if r.reason.why is Why.REMOVAL_BUDGET]
        assert len(held_up) == 5
        terminations.lingers = False
        world.run_until(lambda _: not world.workers(), within=200)
        assert all(len(ids) <= 2 for _, ids in terminations.calls)


class TestTerminations:
    def test_a_call_that_worked_is_not_repeated_at_once(self, world: World) -> None:
        (name,) = with_workers(world, 1)
        terminations = Terminations(world)
        terminations.lingers = True
        world.order(SetFloor("small", 0))
        world.order(Terminate((name,), drain_s=5))
        world.run(50)
        assert len(terminations.calls) == 1
        assert world.snapshot.row(name).member.status is InstanceStatus.TERMINATING
        terminations.lingers = False
        world.run(40)
        assert len(terminations.calls) == 2
        assert world.snapshot.row(name) is None

    def test_one_that_cannot_be_ended_does_not_hold_up_the_rest(self, world: World) -> None:
        names = with_workers(world, 4)
        terminations = Terminations(world)
        terminations.bad = {names[2]}
        world.order(SetFloor("small", 0))
        world.order(Terminate(tuple(names), drain_s=5))
        world.run(30)
        assert world.workers() == [names[2]]
        assert f"InternalError: {names[2]}" in world.text()
        together = [ids for _, ids in terminations.calls if len(ids) > 1]
        assert len(together) == 1


def stray(world: World, name: str = "stray") -> str:
    """An instance with the cluster's tags that nobody remembers and that runs no Ray."""
    ray_boots = world.ray._boots
    (made,) = world.provider.launch(LaunchRequest(name, "small", 1, Offering(price_per_hour=0.2)))
    ray_boots[made.instance_id] = float("inf")
    return made.instance_id


class TestOrphans:
    def test_one_that_runs_our_ray_is_adopted(self, world: World) -> None:
        world.run(2)
        name = stray(world)
        world.ray._boots[name] = world.now + 5
        world.run(20)
        assert world.snapshot.row(name).member.status is InstanceStatus.RUNNING
        assert not world.snapshot.row(name).member.instance.orphan

    def test_it_is_shown_and_kept_however_old(self, world: World) -> None:
        world.run(2)
        name = stray(world)
        world.run(1200)
        row = world.snapshot.row(name)
        assert row.member.instance.orphan
        assert row.reason.why is Why.ORPHAN
        assert name in world.provider.instances

    def test_policy_ends_it_with_a_row_of_its_own_and_a_word_on_age_and_cost(self, world) -> None:
        world.spec = msgspec.structs.replace(world.spec, orphans=OrphanPolicy.TERMINATE)
        world.reconciler.reload(world.spec)
        world.run(2)
        name = stray(world)
        world.run(300)
        world.boot()  # the grace goes on where it was
        world.run(310)
        assert world.workers() == []
        assert f"ending small {name}: orphan, 10m" in world.text()
        assert "$0.20/h, about $0.03 so far" in world.text()
        world.run(5)
        statuses = [status for _, status, _ in world.ledger.transitions(name)]
        assert statuses[-2:] == ["terminating", "terminated"]
        assert world.reconciler.memory.orphans == {}

    def test_a_clock_that_is_set_does_not_age_it(self, world: World) -> None:
        world.spec = msgspec.structs.replace(world.spec, orphans=OrphanPolicy.TERMINATE)
        world.reconciler.reload(world.spec)
        world.run(2)
        name = stray(world)
        world.run(5)
        world.clock_set_by += 7200
        world.run(60)
        assert world.workers() == [name]
        world.run(600)
        assert world.workers() == []

    def test_a_person_ends_the_named_ones_and_no_other(self, world: World) -> None:
        world.run(2)
        one, other = stray(world, "one"), stray(world, "other")
        world.run(3)
        assert world.order(SweepOrphans((one,))).ok
        world.run(3)
        assert world.workers() == [other]
        (event,) = [e for e in world.ledger.events(99) if e.text.startswith(f"ending small {one}")]
        assert event.instance_id == one

    def test_what_is_no_orphan_is_not_swept(self, world: World) -> None:
        (name,) = with_workers(world, 1)
        orphan = stray(world)
        world.run(2)
        assert "is no orphan" in world.order(SweepOrphans((orphan, name))).text
        assert "no node" in world.order(SweepOrphans(("nobody",))).text
        assert not world.order(SweepOrphans(())).ok
        world.run(2)
        assert sorted(world.workers()) == sorted([name, orphan])

    def test_what_a_launch_call_has_not_answered_for_is_no_orphan(self) -> None:
        fleet = Fleet(Ledger(None))
        request = LaunchRequest("r1", "small", 1)
        (row,) = fleet.intend(request, SMALL, [()], 1.0)
        fleet.move(row.instance_id, InstanceStatus.REQUESTED, 1.0, "asked")
        listing = {"i-1": Instance("i-1", "small", InstanceStatus.ALLOCATED, request_id="r1")}
        assert orphans_in(listing, fleet, FakeProvider(clock=time.time)) == {}
        fleet.move(row.instance_id, InstanceStatus.LAUNCH_FAILED, 2.0, "no answer")
        assert list(orphans_in(listing, fleet, FakeProvider(clock=time.time))) == ["i-1"]


def test_a_node_that_leaves_cannot_be_held_any_more(busy: World) -> None:
    (name,) = busy.workers()
    busy.order(Terminate((name,), drain_s=60))
    busy.run(2)
    assert "cannot be taken back" in busy.order(HoldNodes((name,))).text


def test_the_providers_own_words_are_kept_whole(world: World) -> None:
    (name,) = with_workers(world, 1)

    def refuse(instance_ids):
        raise ProviderError("first line\nsecond line")

    world.provider.terminate = refuse
    world.order(Terminate((name,), drain_s=1))
    world.run(5)
    event = next(e for e in world.ledger.events(50) if "not terminated" in e.text)
    assert event.text.endswith("first line")
    assert event.detail == "first line\nsecond line"
