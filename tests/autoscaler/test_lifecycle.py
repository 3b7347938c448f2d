"""A life from wish to end: what takes too long, what comes too late, what cannot be handled."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from raytui.autoscaler.simulation.inline import Inline
from raytui.backends.base import LaunchRequest
from raytui.model.command import SetFloor, Terminate
from raytui.model.lifecycle import (
    FINAL,
    TRANSITIONS,
    IllegalTransitionError,
    InstanceStatus,
    Timeouts,
    check_transition,
)
from raytui.model.plan import FailureKind
from raytui.model.reason import Why
from raytui.model.snapshot import Level, Snapshot
from raytui.model.spec import Offering
from raytui.ray.base import RayError
from tests.support.clusters import kind, spec
from tests.support.world import Swallow, World

S = InstanceStatus
SMALL = kind("small", 0.2, CPU=4, max=20)
NEVER = (1e9, 1e9)


def world_with(tmp_path: Path, **timeouts: float) -> World:
    limits = Timeouts(**timeouts)
    return World(
        msgspec.structs.replace(spec(SMALL, idle_s=30), timeouts=limits), tmp_path / "l.db"
    )


def running(count: int):
    return lambda snapshot: row(snapshot).running == count


def row(snapshot: Snapshot):
    return next(r for r in snapshot.types if r.name == "small")


def past(world: World, instance_id: str) -> list[str]:
    return [status for _, status, _ in world.ledger.transitions(instance_id)]


class TestTable:
    def test_every_status_can_come_to_an_end(self) -> None:
        for status in S:
            reached, front = {status}, [status]
            while front:
                front = [n for s in front for n in TRANSITIONS[s] if n not in reached]
                reached.update(front)
            assert reached & FINAL, status

    @pytest.mark.parametrize("status", sorted(FINAL))
    def test_what_has_ended_stays_so(self, status: S) -> None:
        for other in S:
            with pytest.raises(IllegalTransitionError):
                check_transition("i-1", status, other)


class TestStarts:
    def test_an_instance_without_a_sign_of_life_is_replaced(self, tmp_path: Path) -> None:
        world = world_with(tmp_path, boot_s=40)
        world.ray._boot_s = NEVER
        world.order(SetFloor("small", 1))
        world.run(38)
        (first,) = world.workers()
        assert past(world, first)[-1] == "allocated"
        world.ray._boot_s = (1, 1)
        world.run_until(running(1))
        assert first not in world.workers()
        assert "setup-failed" in past(world, first)
        assert f"small {first}: no sign of it 0m40s after it was allocated" in world.text()

    def test_set_up_has_a_timeout_of_its_own(self, tmp_path: Path) -> None:
        world = world_with(tmp_path, boot_s=10, setup_s=100)
        world.ray._boot_s = NEVER
        world.order(SetFloor("small", 1))
        world.run(3)
        (name,) = world.workers()
        tell(world, name, status=S.SETTING_UP)
        world.run(90)
        assert past(world, name)[-1] == "setting-up"
        world.run(20)
        assert "set-up not done after 1m40s" in world.text()

    def test_a_ray_that_was_started_has_to_register(self, tmp_path: Path) -> None:
        world = world_with(tmp_path, boot_s=10, setup_s=10, register_s=50)
        world.ray._boot_s = NEVER
        world.order(SetFloor("small", 1))
        world.run(3)
        (name,) = world.workers()
        tell(world, name, status=S.SETTING_UP, ray_started_at=world.now)
        world.run(45)
        assert past(world, name)[-1] == "setting-up"
        world.run(10)
        assert "no Ray node 0m50s after Ray was started on it" in world.text()

    def test_an_adopted_instance_has_its_time_to_register_anew(self, tmp_path: Path) -> None:
        world = world_with(tmp_path, register_s=50)
        world.ray._boot_s = NEVER
        request = LaunchRequest("old", "small", 1, Offering(price_per_hour=0.2))
        (made,) = world.provider.launch(request)
        name = made.instance_id
        tell(world, name, status=S.SETTING_UP, ray_started_at=world.now - 7200)
        world.provider.is_ours = lambda instance: True  # type: ignore[attr-defined]
        world.run(45)
        assert past(world, name)[-1] == "setting-up"
        world.run(10)
        assert "no Ray node 0m50s after Ray was started on it" in world.text()

    def test_a_timeout_counts_on_over_a_restart(self, tmp_path: Path) -> None:
        world = world_with(tmp_path, boot_s=60)
        world.ray._boot_s = NEVER
        world.order(SetFloor("small", 1))
        world.run(50)
        world.boot()
        world.run(15)
        assert "no sign of it 1m00s after it was allocated" in world.text()


def tell(world: World, instance_id: str, **facts: object) -> None:
    """Let the provider say something else about an instance."""
    instances = world.provider.instances
    instances[instance_id] = msgspec.structs.replace(instances[instance_id], **facts)


class Deaf(Inline):
    """A pool whose launch calls are done, but never answered."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        done = super().submit(fn, *args, **kwargs)
        return Future() if fn.__name__ == "launch" else done


class TestRequests:
    def test_one_without_an_answer_is_asked_again_by_its_id_then_given_up(
        self, tmp_path: Path
    ) -> None:
        world = world_with(tmp_path, request_s=20)
        world.boot(Swallow())
        world.order(SetFloor("small", 2))
        world.run(50)
        assert [e.text for e in world.ledger.events(2)] == [
            "small: no answer for 0m20s; asking again for the same 2 (3 of 3)",
            "small: no answer for 0m20s; asking again for the same 2 (2 of 3)",
        ]
        assert [len(world.ledger.open_requests()), row(world.snapshot).starting] == [1, 2]
        world.run(30)
        (failure,) = world.snapshot.failures
        assert (failure.kind, failure.message) == (FailureKind.TRANSIENT, "no answer for 0m20s")

    def test_what_comes_of_one_that_was_given_up_is_taken_in(self, tmp_path: Path) -> None:
        world = world_with(tmp_path, request_s=5)
        world.boot(Swallow())
        world.order(SetFloor("small", 2))
        world.run(2)
        request, _ = world.ledger.open_requests()[0]
        world.run_until(lambda s: bool(s.failures))
        world.order(SetFloor("small", 0))
        world.provider.launch(request)
        world.run(2)
        late = {m.member.id for m in world.snapshot.rows if not m.member.is_head}
        assert late == set(world.workers())
        assert not any(r.member.instance.orphan for r in world.snapshot.rows)
        assert "came after its launch was given up; it is taken in" in world.text()
        world.run_until(running(2))

    def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_is_doubled(
        self, tmp_path: Path
    ) -> None:
        world = world_with(tmp_path, request_s=10)
        world.boot(Deaf())
        world.order(SetFloor("small", 3))
        world.run(15)
        world.boot()
        world.run_until(running(3))
        world.run(20)
        assert len(world.workers()) == 3

    def test_an_answer_that_makes_no_sense_costs_that_request_only(self, tmp_path: Path) -> None:
        world = world_with(tmp_path)
        launch = world.provider.launch

        def speak_nonsense(request):
            launch(request)
            return [None]

        world.provider.launch = speak_nonsense
        world.order(SetFloor("small", 2))
        world.run(3)
        (event,) = [e for e in world.ledger.events(9) if e.level is Level.ERROR]
        assert "its answer cannot be used: AttributeError" in event.text
        assert "Traceback" in event.detail
        world.provider.launch = launch
        world.run_until(running(2))  # they came all the same, and the listing has them
        world.run(60)
        assert len(world.workers()) == 2


class TestEnds:
    def test_one_that_does_not_end_is_asked_again_and_told_ever_more_seldom(
        self, tmp_path: Path
    ) -> None:
        world = world_with(tmp_path, terminate_s=60)
        world.order(SetFloor("small", 1))
        world.run_until(running(1))
        (name,) = world.workers()
        asked: list[float] = []
        world.provider.terminate = lambda ids: asked.append(world.now)  # it says yes, does nothing
        world.order(Terminate((name,), drain_s=1))
        world.run(400)
        told = [e for e in world.ledger.events(99) if "is still listed" in e.text]
        assert [e.level for e in told] == [Level.WARNING] * 3  # after 1, 2 and 4 minutes
        assert len(asked) > 3
        reason = world.snapshot.row(name).reason
        assert (reason.why, reason.args["status"]) == (Why.TIMED_OUT, "terminating")
        del world.provider.terminate
        world.run_until(lambda s: s.row(name) is None)
        assert past(world, name)[-1] == "terminated"

    def test_what_is_listed_again_after_its_end_is_ended_again(self, tmp_path: Path) -> None:
        world = world_with(tmp_path)
        world.order(SetFloor("small", 1))
        world.run_until(running(1))
        (name,) = world.workers()
        ghost = world.provider.instances[name]
        world.order(SetFloor("small", 0))
        world.run_until(lambda s: s.row(name) is None)
        world.provider.instances[name] = ghost
        world.run_until(lambda s: name not in world.provider.instances)
        world.run(2)
        assert past(world, name)[-2:] == ["terminating", "terminated"]

    def test_a_drain_that_ray_never_hears_of_is_given_up(self, tmp_path: Path) -> None:
        world = world_with(tmp_path, drain_s=60)
        world.order(SetFloor("small", 1))
        world.run_until(running(1))
        (name,) = world.workers()
        world.order(SetFloor("small", 0))

        def go_away(*_: object, **__: object) -> object:
            world.ray.silent = True
            raise RayError("GCS went away")

        world.ray.drain = go_away
        world.run_until(lambda s: world.ray.silent)
        world.run()
        assert world.snapshot.row(name).member.status is S.DRAINING
        world.run(62)
        assert world.snapshot.row(name).member.status is S.RUNNING
        assert f"kept {name}: Ray did not hear of its drain for 1m00s" in world.text()


class TestQuarantine:
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        """Two running nodes; of one the provider says what cannot be handled."""
        world = world_with(tmp_path)
        world.order(SetFloor("small", 2))
        world.run_until(running(2))
        tell(world, world.workers()[0], status=S.LOST, detail=None)
        world.run(2)
        return world

    def test_it_is_told_with_its_whole_cause(self, world: World) -> None:
        broken = world.workers()[0]
        (event,) = [e for e in world.ledger.events(99) if e.instance_id == broken and e.detail]
        assert event.text.startswith(f"quarantined {broken}: Attribute: 'NoneType'")
        assert event.level is Level.ERROR
        assert "Traceback" in event.detail
        assert "syncing.py" in event.detail
        reason = world.snapshot.row(broken).reason
        assert reason.why is Why.QUARANTINED
        assert "NoneType" in reason.args["error"]

    def test_it_is_told_once_and_the_loop_goes_on(self, world: World) -> None:
        world.run(20)
        assert sum("quarantined" in e.text for e in world.ledger.events(99)) == 1
        world.order(SetFloor("small", 4))
        world.run_until(running(4))

    def test_it_is_never_removed_and_survives_a_restart(self, world: World) -> None:
        broken = world.workers()[0]
        world.boot()
        world.order(SetFloor("small", 0))
        world.run_until(lambda s: world.workers() == [broken])
        world.run(60)
        assert world.workers() == [broken]
        assert world.snapshot.row(broken).reason.why is Why.QUARANTINED

    def test_an_order_of_a_person_ends_it(self, world: World) -> None:
        broken = world.workers()[0]
        tell(world, broken, status=S.ALLOCATED, detail="")
        world.order(SetFloor("small", 1))
        assert world.order(Terminate((broken,), drain_s=5)).ok
        world.run_until(lambda s: s.row(broken) is None)
        assert past(world, broken)[-1] == "terminated"
        assert len(world.workers()) == 1


def test_facts_that_are_only_noted_come_back_after_a_restart(tmp_path: Path) -> None:
    """An address, or a word about set-up, is no row of the ledger; the next listing has it."""
    world = world_with(tmp_path)
    world.order(SetFloor("small", 1))
    world.run_until(running(1))
    (name,) = world.workers()
    tell(world, name, ip="10.9.9.9", log_path="/somewhere/node.log")
    world.run(2)
    assert world.snapshot.row(name).member.instance.ip == "10.9.9.9"
    (kept,) = [i for i in world.ledger.open_instances() if i.instance_id == name]
    assert kept.ip != "10.9.9.9"
    world.boot()
    seen = world.run().row(name).member.instance
    assert (seen.ip, seen.log_path) == ("10.9.9.9", "/somewhere/node.log")
    assert seen.status is S.RUNNING


def test_a_head_that_was_replaced_ends_at_once(tmp_path: Path) -> None:
    world = world_with(tmp_path)
    world.run(2)
    old = world.provider.instances.pop("head-0")
    new = msgspec.structs.replace(old, instance_id="head-1", request_id="head-1")
    world.provider.instances["head-1"] = new
    world.boot()
    world.run()
    assert [r.id for r in world.snapshot.rows if r.member.is_head and r.member.instance] == [
        "head-1"
    ]
    assert past(world, "head-0")[-1] == "terminated"
