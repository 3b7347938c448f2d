"""Orders of people: ceilings, and each order carried out once however often it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.autoscaler.explain import explain
from raytui.autoscaler.loop.ledger import ANSWERS_KEPT
from raytui.model.command import (
    RequestResources,
    SetCeiling,
    SetFloor,
    Terminate,
)
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from tests.support.clusters import kind, spec
from tests.support.world import Swallow, World, tasks

SMALL = kind("small", 0.2, CPU=4, max=10)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(spec(SMALL, idle_s=30), tmp_path / "ledger.db")


def running(count: int):
    return lambda snapshot: snapshot.types[1].running == count


class TestCeilings:
    def test_demand_above_it_waits_and_is_told_who_set_the_limit(self, tmp_path) -> None:
        world = World(spec(SMALL), tmp_path / "l.db", streams=[tasks(5, 100_000, CPU=4)])
        world.ray.settle()
        assert world.order(SetCeiling("small", 2)).text == "ceiling of small 10 → 2 (0 now)"
        world.run_until(running(2))
        world.run(10)
        assert len(world.workers()) == 2
        (waits,) = [o for o in world.snapshot.outcomes if o.wait.value == "blocked"]
        assert explain(waits.reason, world.now) == "the ceiling of small is 2, 2 in use"
        row = world.snapshot.types[1]
        assert (row.max, row.user_ceiling) == (2, True)

    def test_what_runs_above_it_is_drained(self, world: World) -> None:
        world.order(SetFloor("small", 4))
        world.run_until(running(4))
        done = world.order(SetCeiling("small", 1))
        assert done.text == "ceiling of small 10 → 1 (4 now); 3 nodes above it to be drained"
        world.run_until(lambda _: len(world.workers()) == 1)
        assert "above the ceiling of small (1)" in world.text()

    def test_it_goes_before_a_floor_which_says_what_it_waits_for(self, world: World) -> None:
        world.order(SetCeiling("small", 1))
        assert "its ceiling of 1 goes before" in world.order(SetFloor("small", 3)).text
        world.run_until(running(1))
        world.run(10)
        (waits,) = world.snapshot.outcomes
        assert (waits.label, waits.count) == ("floor of small", 2)
        assert explain(waits.reason, world.now) == "the ceiling of small is 1, 1 in use"

    def test_it_survives_a_restart_and_can_be_taken_back(self, world: World) -> None:
        world.order(SetCeiling("small", 1))
        world.boot()
        world.order(SetFloor("small", 3))
        world.run_until(running(1))
        world.run(20)
        assert len(world.workers()) == 1
        assert world.order(SetCeiling("small", None)).text == "ceiling of small 1 → 10 (1 now)"
        world.run_until(running(3))

    def test_it_is_never_above_max_workers(self, world: World) -> None:
        assert "0 to 10 (its max_workers)" in world.order(SetCeiling("small", 11)).text
        world.order(SetCeiling("small", 8))
        world.reconciler.reload(spec(kind("small", 0.2, CPU=4, max=5)))
        world.run()
        row = world.snapshot.types[1]
        assert (row.max, row.user_ceiling) == (5, False)

    def test_strangers_and_the_head_have_none(self, world: World) -> None:
        assert "no node type 'medium'" in world.order(SetCeiling("medium", 1)).text
        assert "head" in world.order(SetCeiling("head", 1)).text


class TestOnce:
    def test_an_order_that_comes_again_is_only_answered_again(self, world: World) -> None:
        first = world.reconciler.command(SetFloor("small", 2), "ann@host", "a1")
        world.reconciler.command(SetFloor("small", 5), "bob@host", "b1")
        assert world.reconciler.command(SetFloor("small", 2), "ann@host", "a1") == first
        assert world.reconciler.memory.floors == {"small": 5}
        assert world.text().count("floor of small 0 → 2") == 1

    def test_also_by_another_daemon_and_also_when_it_was_refused(self, world: World) -> None:
        refused = world.reconciler.command(SetFloor("small", 99), "ann@host", "a1")
        done = world.reconciler.command(SetFloor("small", 1), "ann@host", "a2")
        world.boot()
        assert world.reconciler.command(SetFloor("small", 99), "ann@host", "a1") == refused
        assert world.reconciler.command(SetFloor("small", 1), "ann@host", "a2") == done

    def test_what_failed_on_our_side_may_be_tried_again(self, world: World) -> None:
        wish = RequestResources(((Resources.of(CPU=4), 1),))
        ask = world.ray.request_resources
        world.ray.request_resources = _away
        assert not world.reconciler.command(wish, "ann@host", "a1").ok
        world.ray.request_resources = ask
        assert world.reconciler.command(wish, "ann@host", "a1").ok

    def test_orders_without_an_id_are_always_carried_out(self, world: World) -> None:
        world.order(SetFloor("small", 2))
        world.order(SetFloor("small", 5))
        world.order(SetFloor("small", 2))
        assert world.reconciler.memory.floors == {"small": 2}

    def test_only_so_many_answers_are_kept(self, world: World) -> None:
        for number in range(ANSWERS_KEPT + 20):
            world.reconciler.command(SetFloor("small", number % 3), "ann@host", f"c{number}")
        assert world.ledger.answer("c19") is None
        assert world.ledger.answer("c20") is not None


def _away(bundles) -> None:
    from raytui.ray.base import RayError

    raise RayError("GCS is away")


def test_a_node_on_order_cannot_be_given_back_yet(tmp_path: Path) -> None:
    world = World(spec(kind("small", 0.2, CPU=4, min=1)), tmp_path / "ledger.db")
    world.boot(Swallow())
    world.run(2)
    (row,) = [r for r in world.snapshot.rows if not r.member.is_head]
    assert row.member.status is InstanceStatus.REQUESTED
    assert "is on order" in world.order(Terminate((row.id,))).text
    world.run(2)
    assert world.snapshot.trouble == ""
