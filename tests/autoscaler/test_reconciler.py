"""Whole rounds on a simulated cluster: what is launched, lost, drained, remembered, survived."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from raytui.autoscaler.loop.ledger import Ledger
from raytui.backends.fake import Faults
from raytui.model.command import (
    HoldNodes,
    Pause,
    ReleaseNodes,
    RequestResources,
    Resume,
    SetFloor,
    Terminate,
)
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import FailureKind
from raytui.model.reason import Why
from raytui.model.resources import Resources
from raytui.model.snapshot import Level, Snapshot
from tests.support.clusters import kind, spec
from tests.support.world import Swallow, World, tasks

SMALL = kind("small", 0.2, CPU=4, max=20)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(spec(SMALL, idle_s=30), tmp_path / "ledger.db")


def running(count: int):
    return lambda snapshot: row(snapshot).running == count


def row(snapshot: Snapshot, name: str = "small"):
    return next(r for r in snapshot.types if r.name == name)


def test_demand_brings_nodes_and_idleness_takes_them_away(world: World) -> None:
    world.order(RequestResources(((Resources.of(CPU=4), 3),)))
    world.run_until(running(3))
    world.order(RequestResources(()))
    world.run_until(running(0))
    assert world.workers() == []
    assert "idle 0m3" in world.text()


def test_a_head_whose_type_has_workers_counts_against_none_of_their_limits(tmp_path: Path) -> None:
    both = msgspec.structs.replace(spec(), node_types={"head": kind("head", CPU=4, min=2, max=2)})
    world = World(both, tmp_path / "ledger.db")
    world.run_until(lambda shown: len(world.workers()) == 2 and row(shown, "head").running == 2)
    world.run(60)
    assert (len(world.workers()), row(world.snapshot, "head").running) == (2, 2)


def test_a_decision_is_recorded_with_its_reason_and_outcome(world: World) -> None:
    world.order(SetFloor("small", 2))
    world.run(2)
    decision = world.ledger.decisions()[0]
    assert [(x.node_type, x.count, x.reason.why) for x in decision.plan.launches] == [
        ("small", 2, Why.USER_FLOOR)
    ]
    assert decision.outcome.startswith("2 × small allocated")
    assert world.snapshot.decisions[0] == decision


def test_every_instance_has_a_row_and_every_row_comes_to_an_end(world: World) -> None:
    world.order(SetFloor("small", 3))
    world.run_until(running(3))
    ids = world.workers()
    world.order(SetFloor("small", 0))
    world.run_until(running(0))
    world.run(3)
    assert {i.instance_id for i in world.ledger.open_instances()} == {"head-0"}
    for instance_id in ids:
        statuses = [status for _, status, _ in world.ledger.transitions(instance_id)]
        assert statuses[0] == "queued"
        assert statuses[-1] == "terminated"


def test_the_intent_is_on_disk_before_the_provider_is_called(tmp_path: Path) -> None:
    world = World(spec(kind("small", 0.2, CPU=4, min=2)), tmp_path / "ledger.db")
    seen: list[int] = []
    launch = world.provider.launch

    def spy(request):
        seen.append(len(Ledger(world.path).open_requests()))
        return launch(request)

    world.provider.launch = spy  # a provider that looks into the ledger when it is called
    world.run_until(running(2))
    assert seen == [1]


def test_a_crash_before_the_call_launches_once_after_the_restart(tmp_path: Path) -> None:
    world = World(spec(kind("small", 0.2, CPU=4, min=3)), tmp_path / "ledger.db")
    world.boot(Swallow())
    world.run(2)
    assert world.workers() == []
    world.boot()
    world.run_until(running(3))
    assert len(world.workers()) == 3
    assert "resuming the launch of 3 × small" in world.text()


def test_a_crash_after_the_call_does_not_launch_twice(tmp_path: Path) -> None:
    world = World(spec(kind("small", 0.2, CPU=4, min=3)), tmp_path / "ledger.db")
    world.boot(Swallow())
    world.run(2)
    request, _ = world.ledger.open_requests()[0]
    world.provider.launch(request)  # the call went out, its answer was never noted
    world.boot()
    world.run_until(running(3))
    world.run(10)
    assert len(world.workers()) == 3


class Crash(BaseException):
    """The process is gone."""


class CrashingLedger(Ledger):
    """Dies instead of beginning its n-th transaction."""

    def __init__(self, path: Path, after: int) -> None:
        self.left = after
        super().__init__(path)

    def transaction(self):
        if not self._db.in_transaction:
            self.left -= 1
            if self.left < 0:
                raise Crash
        return super().transaction()


@pytest.mark.parametrize("after", range(45))
def test_a_crash_at_any_write_neither_doubles_nor_forgets(tmp_path: Path, after: int) -> None:
    world = World(spec(kind("small", 0.2, CPU=4, min=3, max=6)), tmp_path / "ledger.db")
    try:
        world.boot(ledger=CrashingLedger(world.path, after))
        world.order(SetFloor("small", 4))
        world.run(30)
        world.order(Terminate((world.workers()[0],), drain_s=5))
        world.run(40)
    except Crash:
        world.boot()
    world.order(SetFloor("small", 4))
    world.run_until(running(4))
    world.run(60)
    assert len(world.workers()) == 4
    rows = {i.instance_id for i in world.ledger.open_instances()}
    assert rows == {*world.workers(), "head-0"}
    assert world.ledger.open_requests() == []


def test_a_partial_launch_is_some_nodes_and_one_remembered_failure(tmp_path: Path) -> None:
    world = World(
        spec(kind("small", 0.2, CPU=4, min=10, max=10)),
        tmp_path / "ledger.db",
        faults=Faults(partial=1.0),
    )
    world.run(2)
    came = len(world.workers())
    assert 0 < came < 10
    assert [f.kind for f in world.snapshot.failures] == [FailureKind.CAPACITY]
    assert f"only {came} of 10 could be had" in world.text()
    world.run_until(running(10))


def test_the_providers_own_words_reach_the_screen_and_the_next_try_is_later(world: World) -> None:
    world.provider.short_of = frozenset({"small"})
    world.order(SetFloor("small", 1))
    world.run(3)
    error = next(e for e in world.snapshot.events if e.level is Level.ERROR)
    assert "InsufficientInstanceCapacity" in error.text
    assert row(world.snapshot).failed == 1
    calls = world.provider.launch_calls
    world.run(20)
    assert world.provider.launch_calls == calls
    world.provider.short_of = frozenset()
    world.run_until(running(1))
    assert world.snapshot.failures == ()


def test_a_dead_node_is_told_with_its_last_words_cleared_away_and_replaced(world: World) -> None:
    world.order(SetFloor("small", 2))
    world.run_until(running(2))
    victim = world.workers()[0]
    world.provider.lose(victim, "exit code 1\nraylet: out of memory")
    world.run(3)
    event = next(e for e in world.snapshot.events if e.instance_id == victim and e.detail)
    assert "lost small" in event.text
    assert "out of memory" in event.detail
    world.run_until(running(2))
    assert victim not in world.workers()


def test_a_dead_head_is_told_while_gcs_is_silent_and_is_never_cleared_away(world: World) -> None:
    world.run(3)
    world.ray.silent = True
    world.provider.lose("head-0", "exit code 1\nport already in use")
    world.run(3)
    assert world.snapshot.trouble.startswith("the head is down")
    assert world.snapshot.row("head-0").member.status is InstanceStatus.LOST
    assert "lost head head-0: exit code 1" in world.text()
    assert "head-0" in world.provider.instances


def test_while_gcs_is_silent_running_nodes_are_not_missed(world: World) -> None:
    world.order(SetFloor("small", 2))
    world.run_until(running(2))
    world.ray.silent = True
    world.run(300)
    world.ray.silent = False
    world.run(5)
    assert row(world.snapshot).running == 2
    assert "lost" not in world.text()


def test_a_silent_provider_stops_removals_not_the_loop(world: World) -> None:
    world.order(SetFloor("small", 2))
    world.run_until(running(2))
    world.order(SetFloor("small", 0))
    world.provider.faults = Faults(listing=1.0)
    world.run(60)
    assert len(world.workers()) == 2
    assert [s.ok for s in world.snapshot.sources] == [True, False]
    world.provider.faults = Faults()
    world.run_until(running(0))


class TestCommands:
    def test_terminate_drains_then_ends_a_busy_node(self, tmp_path: Path) -> None:
        world = World(spec(SMALL), tmp_path / "l.db", streams=[tasks(4, 1000, CPU=1)])
        world.ray.settle()
        world.run_until(running(1))
        world.run_until(lambda s: s.rows[1].member.node.idle_since == 0)
        busy = world.workers()[0]
        assert world.order(Terminate((busy,), drain_s=20)).ok
        world.run(5)
        assert world.snapshot.row(busy).member.status is InstanceStatus.DRAINING
        world.run_until(lambda s: busy not in world.provider.instances, within=40)
        assert "was busy at its deadline" in world.text()
        (order,) = [e for e in world.ledger.events(99) if e.text.endswith("ordered")]
        assert order.by == "ann@host"

    def test_the_head_and_strangers_are_refused(self, world: World) -> None:
        world.run(2)
        assert "is the head" in world.order(Terminate(("head-0",))).text
        assert "no node nobody" in world.order(Terminate(("nobody",))).text
        assert not world.order(Terminate(())).ok

    def test_one_bad_id_refuses_the_whole_order(self, world: World) -> None:
        world.order(SetFloor("small", 1))
        world.run_until(running(1))
        assert not world.order(Terminate((world.workers()[0], "nobody"))).ok
        world.run(10)
        assert row(world.snapshot).running == 1

    def test_a_floor_is_checked_and_survives_a_restart(self, world: World) -> None:
        world.run(1)
        assert "0 to 20" in world.order(SetFloor("small", 21)).text
        assert "no node type 'medium'; there is small" in world.order(SetFloor("medium", 1)).text
        assert not world.order(SetFloor("head", 1)).ok
        assert world.order(SetFloor("small", 2)).text == "floor of small 0 → 2 (0 now)"
        world.boot()
        world.run_until(running(2))
        assert row(world.snapshot).user_floor

    def test_a_held_node_outlives_its_idle_timeout_until_released(self, world: World) -> None:
        world.order(SetFloor("small", 1))
        world.run_until(running(1))
        held = world.workers()[0]
        assert world.order(HoldNodes((held,))).ok
        world.order(SetFloor("small", 0))
        world.run(90)
        assert world.workers() == [held]
        assert world.snapshot.row(held).reason.why is Why.HELD
        assert world.order(ReleaseNodes((held,))).ok
        assert not world.order(ReleaseNodes((held,))).ok
        world.run_until(running(0))

    def test_paused_nothing_is_done_and_everything_is_explained(self, world: World) -> None:
        world.order(Pause())
        world.order(SetFloor("small", 2))
        world.run(20)
        assert world.workers() == []
        assert world.snapshot.paused_by == "ann@host"
        assert [o.reason.why for o in world.snapshot.outcomes] == [Why.PAUSED]
        assert world.order(Resume()).ok
        assert not world.order(Resume()).ok
        world.run_until(running(2))

    def test_reload_takes_new_limits_and_drains_what_is_above_them(self, world: World) -> None:
        world.order(SetFloor("small", 4))
        world.run_until(running(4))
        text = world.reconciler.reload(spec(kind("small", 0.2, CPU=4, max=2)))
        assert "max_workers" not in text
        assert "1 node type changed (small)" in text
        world.run_until(running(2))


def test_long_life_under_faults_keeps_the_invariants(tmp_path: Path) -> None:
    """An hour of changing load with refused, partial and silent provider calls."""
    kinds = (kind("small", 0.2, CPU=4, max=8), kind("gpu", 1.2, CPU=8, GPU=1, max=4))
    world = World(
        spec(*kinds, max_workers=10, idle_s=20),
        tmp_path / "ledger.db",
        seed=7,
        streams=[tasks(20, 40, CPU=1), tasks(2, 60, CPU=1, GPU=1)],
        faults=Faults(capacity=0.2, partial=0.2, listing=0.1),
    )
    for _ in range(3600):
        world.run()
        assert len(world.workers()) <= 10
        for k in kinds:
            there = [i for i in world.provider.instances.values() if i.node_type == k.name]
            assert len(there) <= k.max_workers
        rows = {i.instance_id for i in world.reconciler._fleet}
        assert set(world.provider.instances) <= rows
    assert not any(i.quarantined for i in world.reconciler._fleet)


def test_a_node_of_an_ended_instance_is_nobody_who_joined_by_hand(world: World) -> None:
    world.order(SetFloor("small", 1))
    world.run_until(running(1))
    nodes = world.ray.observe().nodes
    world.order(SetFloor("small", 0))
    world.run_until(running(0))
    world.run(5)
    observe = world.ray.observe
    # Ray may show the node for a while after the machine is gone.
    world.ray.observe = lambda: msgspec.structs.replace(observe(), nodes=nodes)
    assert [row.member.node_type for row in world.run().rows] == ["head"]


def test_the_last_minute_is_a_minute_also_where_pictures_are_rare(world: World) -> None:
    world.run(5)
    assert len(row(world.snapshot).history) == 5
    world.now += 9  # nobody watched, and nothing happened
    assert len(row(world.run()).history) == 15
