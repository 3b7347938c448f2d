"""Machines that their owner takes back: drained, replaced before they are gone, remembered."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from raytui.autoscaler.explain import explain
from raytui.model.leaving import RebalancePolicy
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import FailureKind
from raytui.model.reason import Why
from raytui.model.snapshot import Level
from raytui.model.spec import Market, Offering
from raytui.model.state import Notice, NoticeKind
from raytui.model.text import clock_text
from tests.support.clusters import kind, spec
from tests.support.world import World, tasks

SPOT = Offering("m5.xlarge", "us-west-2a", Market.SPOT, 0.06)
ON_DEMAND = Offering("m5.xlarge", "us-west-2a", Market.ON_DEMAND, 0.20)
WORKER = kind("small", offerings=(SPOT, ON_DEMAND), CPU=4, max=20)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A node that is kept busy for long."""
    world = World(spec(WORKER, idle_s=30), tmp_path / "ledger.db", streams=[tasks(3, 1000, CPU=1)])
    world.run_until(lambda s: any(not r.member.is_head and not r.member.idle for r in s.rows))
    world.run_until(lambda s: s.types[1].running == 1 and s.used.get("CPU", 0) >= 1)
    return world


def warn(world: World, how: NoticeKind = NoticeKind.INTERRUPTION) -> str:
    (name,) = world.workers()
    world.ray.warn(Notice(name, how, "AWS", world.now, world.now + 120))
    return name


def test_the_replacement_is_on_its_way_in_the_round_that_hears_of_it(world: World) -> None:
    name = warn(world)
    snapshot = world.run()
    (launch,) = snapshot.decisions[0].plan.launches
    assert launch.reason.why is Why.REPLACES
    assert launch.offering == ON_DEMAND
    assert "launch 1 × small: room for {CPU: " in snapshot.decisions[0].summary
    assert f"drain small {name}: AWS takes it back at" in snapshot.decisions[0].summary


def test_it_is_shown_with_its_time(world: World) -> None:
    name = warn(world)
    row = world.run(2).row(name)
    assert row is not None
    assert row.member.status is InstanceStatus.DRAINING
    assert row.reason is not None
    at = clock_text(row.reason.args["deadline"])
    assert explain(row.reason, world.now) == f"AWS takes it back at {at}: spot interruption notice"


def test_one_node_replaces_it_and_its_end_is_no_failure(world: World) -> None:
    name = warn(world)
    world.run(119)
    assert name in world.workers()
    assert len(world.workers()) == 2
    world.run_until(lambda s: s.row(name) is None, within=30)
    assert world.snapshot.types[1].running == 1
    worst = [e for e in world.ledger.events(1000) if e.level is Level.ERROR]
    assert worst == []


def test_it_is_no_failure_either_when_the_owner_is_quicker(world: World) -> None:
    name = warn(world)
    world.run(60)
    world.provider.lose(name, "Server.SpotInstanceTermination")
    world.run_until(lambda s: s.row(name) is None, within=60)
    assert "left after its drain" not in world.text()
    assert [e for e in world.ledger.events(1000) if e.level is Level.ERROR] == []


def test_the_way_it_was_bought_is_avoided_for_a_while(world: World) -> None:
    name = warn(world)
    snapshot = world.run()
    (failure,) = snapshot.failures
    assert failure.kind is FailureKind.INTERRUPTED
    assert failure.message == f"spot interruption notice for {name}"
    assert 600 <= failure.retry_at - failure.failed_at <= 750
    assert snapshot.types[1].backoff_until == 0
    world.run(60)
    assert len(world.snapshot.failures) == 1


def test_a_restart_in_the_midst_changes_nothing(world: World) -> None:
    name = warn(world)
    world.run(5)
    world.boot()
    world.run(100)
    assert len(world.workers()) == 2
    assert len([e for e in world.ledger.events(1000) if "takes it back" in e.text]) == 2
    world.run_until(lambda s: s.row(name) is None, within=60)
    assert len(world.workers()) == 1


def test_a_risk_is_told_and_the_node_works_on(world: World) -> None:
    name = warn(world, NoticeKind.REBALANCE)
    snapshot = world.run(10)
    row = snapshot.row(name)
    assert row is not None
    assert row.member.status is InstanceStatus.RUNNING
    assert row.member.notice is not None
    assert f"{name}: AWS may take it back soon (rebalance recommendation)" in world.text()
    assert world.text().count("may take it back soon") == 1
    assert [f.kind for f in snapshot.failures] == [FailureKind.INTERRUPTED]
    assert world.workers() == [name]


def test_a_node_that_ray_no_longer_shows_was_taken_back_and_not_lost(tmp_path: Path) -> None:
    world = World(spec(kind("small", 0.2, CPU=4, min=1)), tmp_path / "ledger.db")
    world.run_until(lambda s: s.types[1].running == 1)
    name = warn(world)
    world.ray._hosts.pop(name)
    world.run_until(lambda s: s.row(name) is None, within=20)
    assert [e for e in world.ledger.events(1000) if e.level is Level.ERROR] == []
    world.run_until(lambda s: s.types[1].running == 1, within=60)


def test_one_that_somebody_else_drains_leaves_in_its_own_time(tmp_path: Path) -> None:
    kinds = spec(kind("small", 0.2, CPU=4, min=1, max=3), idle_s=30)
    world = World(kinds, tmp_path / "ledger.db", streams=[tasks(3, 1000, CPU=1)])
    world.run_until(lambda s: s.types[1].running == 1 and s.used.get("CPU", 0) >= 1)
    (name,) = world.workers()
    node = next(n for n in world.ray.observe().nodes if n.instance_id == name)
    world.ray.drain(node.node_id, idle_only=False, message="by hand", deadline=0.0)
    row = world.run(2).row(name)
    assert row is not None
    assert row.member.status is InstanceStatus.DRAINING
    assert row.reason is not None
    assert explain(row.reason, world.now) == "Ray was told to drain it, and not by raytui"
    world.run_until(lambda s: s.types[1].running == 1)
    world.run(400)
    assert name in world.workers()
    assert world.snapshot.failures == ()
    world.provider.lose(name, "exit code 0")
    world.run_until(lambda s: s.row(name) is None, within=20)
    assert [e for e in world.ledger.events(1000) if e.level is Level.ERROR] == []


def test_one_that_leaves_in_its_own_time_has_less_when_it_is_taken_back(world: World) -> None:
    (name,) = world.workers()
    node = next(n for n in world.ray.observe().nodes if n.instance_id == name)
    world.ray.drain(node.node_id, idle_only=False, message="by hand", deadline=0.0)
    world.run(5)
    assert world.workers() == [name]
    warn(world)
    row = world.run(2).row(name)
    assert row is not None
    assert row.reason is not None
    assert row.reason.why is Why.TAKEN_BACK
    assert len(world.workers()) == 2
    assert [f.kind for f in world.snapshot.failures] == [FailureKind.INTERRUPTED]
    world.run(110)
    assert name in world.workers()
    world.run_until(lambda s: s.row(name) is None, within=30)


def test_where_the_file_wants_it_one_at_risk_leaves_when_its_work_has_room(tmp_path: Path) -> None:
    kinds = msgspec.structs.replace(spec(WORKER, idle_s=30), rebalance=RebalancePolicy.REPLACE)
    world = World(kinds, tmp_path / "ledger.db", streams=[tasks(3, 1000, CPU=1)])
    world.run_until(lambda s: s.types[1].running == 1 and s.used.get("CPU", 0) >= 1)
    name = warn(world, NoticeKind.REBALANCE)
    world.run_until(lambda s: len(s.rows) == 3, within=5)
    world.run_until(lambda s: s.types[1].running == 2)
    assert world.snapshot.row(name).member.status is InstanceStatus.RUNNING
    snapshot = world.run_until(
        lambda s: s.row(name).member.status is InstanceStatus.DRAINING, within=5
    )
    at_risk = explain(snapshot.row(name).reason, world.now)
    assert at_risk == "AWS may take it back soon: rebalance recommendation"
    world.run(60)
    assert len(world.workers()) == 2
    world.run_until(lambda s: s.row(name) is None, within=620)
