"""What the simulation has found, each told again in the shortest way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.remembered import Remembered
from raytui.autoscaler.loop.telling import Telling
from raytui.autoscaler.planning.avoided import Avoided
from raytui.autoscaler.planning.planner import plan
from raytui.autoscaler.simulation.inline import Inline
from raytui.backends.base import TransientError
from raytui.model.command import SetFloor, Terminate
from raytui.model.leaving import OrphanPolicy
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import DrainUnderWay, FailureKind, Hold, LaunchFailure, Memory
from raytui.model.reason import Why, because
from raytui.model.snapshot import Snapshot
from raytui.model.spec import Offering
from raytui.model.state import Instance, Member, NodeStatus
from raytui.ray.base import RayError, RayView
from tests.support.clusters import NOW, kind, spec, state, worker
from tests.support.world import Swallow, World

SMALL = kind("small", 0.2, CPU=4, max=5)


def running(count: int) -> Callable[[Snapshot], bool]:
    return lambda shown: sum(r.running for r in shown.types if r.name == "small") == count


def small_world(tmp_path: Path) -> World:
    world = World(spec(SMALL, idle_s=20), tmp_path / "ledger.db")
    world.order(SetFloor("small", 2))
    world.run_until(running(2))
    world.order(SetFloor("small", 0))
    return world


class LosesFirstTermination(Inline):
    """The answer to the first terminate call never comes, and nothing is terminated by it."""

    def __init__(self) -> None:
        self.lost = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if fn.__name__ == "terminate" and not self.lost:
            self.lost += 1
            return Future()
        return super().submit(fn, *args, **kwargs)


def test_a_terminate_call_that_is_never_answered_is_made_again(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    pool = LosesFirstTermination()
    world.boot(pool)
    world.run_until(lambda _: world.workers() == [])
    assert pool.lost == 1
    assert "not terminated: no answer for 2m00s" in world.text()


def test_a_termination_that_failed_is_tried_again_though_the_clock_is_set_back(
    tmp_path: Path,
) -> None:
    world = small_world(tmp_path)
    terminate = world.provider.terminate

    def refuse(instance_ids: Any) -> None:
        raise TransientError("not now")

    world.provider.terminate = refuse
    world.run_until(lambda _: "not terminated: not now" in world.text())
    world.provider.terminate = terminate
    world.clock_set_by = -3_000.0
    world.run_until(lambda _: world.workers() == [], within=60)


def test_an_orphan_that_a_person_holds_is_not_swept() -> None:
    orphan = Member(Instance("c", "small", InstanceStatus.ALLOCATED, orphan=True))
    kinds = msgspec.structs.replace(spec(SMALL), orphans=OrphanPolicy.TERMINATE)
    memory = Memory(orphans={"c": NOW - 1_000})
    decided = plan(state(orphan), kinds, memory, NOW)
    assert [removal.instance_id for removal in decided.removals] == ["c"]
    held = msgspec.structs.replace(memory, holds=(Hold("c", "ann"),))
    assert plan(state(orphan), kinds, held, NOW).removals == ()


def test_a_listing_that_lacks_what_is_to_end_is_no_proof_that_it_ended(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    terminate, listing = world.provider.terminate, world.provider.list_instances

    def refuse(instance_ids: Any) -> None:
        raise TransientError("not now")

    def only_the_head() -> list[Any]:
        return [i for i in listing() if i.is_head]

    world.provider.terminate = refuse
    world.run_until(lambda shown: any(_is_terminating(r) for r in shown.rows))
    world.provider.list_instances = only_the_head
    world.run(5)
    open_rows = {i.instance_id for i in world.ledger.open_instances()}
    assert set(world.workers()) <= open_rows
    world.provider.terminate, world.provider.list_instances = terminate, listing
    world.run_until(lambda _: world.workers() == [])


def _is_terminating(row: Any) -> bool:
    return row.member.status is InstanceStatus.TERMINATING


def test_a_refusal_after_a_restart_is_not_the_last_word(tmp_path: Path) -> None:
    """The call from before the restart may yet arrive: to ask for others would double it."""
    world = World(spec(kind("small", 0.2, CPU=4, min=3)), tmp_path / "ledger.db")
    world.boot(Swallow())
    world.run(2)
    ((request, _),) = world.ledger.open_requests()
    world.provider.short_of = frozenset({"small"})
    world.boot()
    world.run(1)
    world.provider.short_of = frozenset()
    world.run_until(running(3))
    assert {world.provider.instances[i].request_id for i in world.workers()} == {request.request_id}
    assert "asking again for the same 3 (2 of 3)" in world.text()


def test_a_refusal_is_over_when_the_head_that_took_us_is_back(tmp_path: Path) -> None:
    """An answer of GCS that was out of date named the head before: it refused, of course."""
    world = World(spec(SMALL), tmp_path / "ledger.db")
    telling = Telling(world.ray)
    assert telling.take_over("new", world.spec, 0.0) == ""

    def refuse(_: Any) -> None:
        raise RayError("another one scales this cluster")

    world.ray.take_over = refuse
    assert telling.take_over("old", world.spec, 1.0) == "another one scales this cluster"
    assert telling.take_over("new", world.spec, 2.0) == ""


def test_nobody_leaves_for_the_sake_of_an_orphan() -> None:
    kinds = spec(kind("small", 0.2, CPU=4, min=2, max=2), max_workers=2)
    ours = [worker(SMALL, "a"), worker(SMALL, "b", status=InstanceStatus.ALLOCATED)]
    orphan = Member(Instance("c", "small", InstanceStatus.ALLOCATED, orphan=True))
    decided = plan(state(*ours, orphan), kinds, Memory(), NOW)
    assert (decided.removals, decided.launches) == ((), ())


def test_a_failure_from_before_the_clock_was_set_back_avoids_nothing() -> None:
    failure = LaunchFailure("small", FailureKind.CAPACITY, "no", failed_at=5000.0, retry_at=5030.0)
    assert Avoided([failure], 5010.0).offering("small", Offering()) is failure
    assert Avoided([failure], 1400.0).offering("small", Offering()) is None


def test_nothing_began_in_the_future_when_the_clock_was_set_back_meanwhile(tmp_path: Path) -> None:
    reason = because(Why.BY_COMMAND, by="ann")
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.save_memory(
        Memory(
            drains=(
                DrainUnderWay("late", 9_000.0, 9_300.0, reason),
                DrainUnderWay("now", 900.0, 1_200.0, reason),
            ),
            refusals={"late": 9_000.0},
            orphans={"late": 9_000.0, "now": 900.0},
        )
    )
    remembered = Remembered(ledger)
    remembered.take_up(1_000.0)
    for memory in (remembered.memory, ledger.memory()):
        assert [(d.since, d.deadline) for d in memory.drains] == [
            (1_000.0, 1_300.0),
            (900.0, 1_200.0),
        ]
        assert memory.refusals == {"late": 1_000.0}
        assert memory.orphans == {"late": 1_000.0, "now": 900.0}


def test_a_leaving_node_that_a_restarted_gcs_has_forgotten_has_not_drained(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    busy = world.workers()[0]
    world.order(Terminate((busy,), drain_s=300.0))
    observe, forgets = world.ray.observe, False

    def forgetful() -> RayView:
        view = observe()
        nodes = tuple(
            msgspec.structs.replace(n, status=NodeStatus.DRAINING, idle_since=0.0)
            for n in view.nodes
            if n.instance_id == busy and not forgets
        )
        others = tuple(n for n in view.nodes if n.instance_id != busy)
        version = view.version - 1_000 if forgets else view.version
        return msgspec.structs.replace(view, version=version, nodes=(*others, *nodes))

    world.ray.observe = forgetful
    world.run(5)
    forgets = True
    world.run(15)
    assert busy in world.workers()
    assert "GCS was restarted" in world.text()


def test_a_node_that_ray_does_not_drain_has_not_drained_however_idle(tmp_path: Path) -> None:
    world = small_world(tmp_path)
    drained = world.workers()[0]
    observe = world.ray.observe

    def deaf() -> RayView:
        view = observe()
        return msgspec.structs.replace(
            view,
            nodes=tuple(
                msgspec.structs.replace(n, status=NodeStatus.IDLE)
                if n.instance_id == drained
                else n
                for n in view.nodes
            ),
        )

    world.ray.observe = deaf
    world.order(Terminate((drained,), drain_s=60.0))
    world.run(30)
    assert drained in world.workers()
    world.ray.observe = observe
    world.run_until(lambda _: drained not in world.workers(), within=20)
