"""Orders to terminate that wait for a moment, in which they can be taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.autoscaler.explain import explain
from raytui.model.command import KeepNodes, SetFloor, Terminate
from raytui.model.lifecycle import InstanceStatus
from raytui.model.snapshot import Row
from tests.support.clusters import kind, spec
from tests.support.world import World

SMALL = kind("small", 0.2, CPU=4, max=10)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two nodes that idle."""
    made = World(spec(SMALL, idle_s=3000), tmp_path / "ledger.db")
    made.order(SetFloor("small", 2))
    made.run_until(lambda snapshot: snapshot.types[1].running == 2)
    return made


def row_of(world: World, name: str) -> Row:
    row = world.snapshot.row(name)
    assert row is not None
    return row


def test_nothing_happens_to_the_node_before_its_moment(world: World) -> None:
    name, _ = world.workers()
    assert world.order(Terminate((name,), wait_s=10)).ok
    world.run(9)
    row = row_of(world, name)
    assert row.member.status is InstanceStatus.RUNNING
    assert "can be taken back" in explain(row.reason, world.now)
    assert len(world.workers()) == 2


def test_after_its_moment_it_is_an_order_like_any_other(world: World) -> None:
    name, other = world.workers()
    world.order(Terminate((name,), drain_s=60, wait_s=5))
    world.run_until(lambda _: name not in world.workers(), within=30)
    assert other in world.workers()
    assert "ordered" in world.text()


def test_taken_back_the_node_stays(world: World) -> None:
    name, _ = world.workers()
    world.order(Terminate((name,), wait_s=5))
    assert world.order(KeepNodes((name,))).text == f"kept {name}"
    world.run(30)
    assert name in world.workers()
    assert row_of(world, name).member.status is InstanceStatus.RUNNING


def test_what_has_begun_cannot_be_taken_back(world: World) -> None:
    name, _ = world.workers()
    world.order(Terminate((name,), drain_s=60, wait_s=2))
    world.run(3)
    refused = world.order(KeepNodes((name,)))
    assert not refused.ok
    assert "cannot be taken back" in refused.text


def test_an_order_that_waits_survives_a_restart(world: World) -> None:
    name, _ = world.workers()
    world.order(Terminate((name,), drain_s=60, wait_s=20))
    world.boot()
    world.run(3)
    assert name in world.workers()
    world.run_until(lambda _: name not in world.workers(), within=60)


def test_a_second_order_goes_before_the_first(world: World) -> None:
    name, _ = world.workers()
    world.order(Terminate((name,), wait_s=3000))
    world.order(Terminate((name,), drain_s=60))
    world.run_until(lambda _: name not in world.workers(), within=30)


def test_a_clock_that_is_set_forward_ends_no_wait(world: World) -> None:
    name, _ = world.workers()
    world.order(Terminate((name,), wait_s=600))
    world.clock_set_by += 3600
    world.run(30)
    assert row_of(world, name).member.status is InstanceStatus.RUNNING
