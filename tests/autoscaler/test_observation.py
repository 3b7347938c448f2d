"""Unknown is not zero: what is seen counts when it can be believed, and not before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from raytui.autoscaler.explain import explain
from raytui.autoscaler.loop.believing import CONFIRM_S
from raytui.autoscaler.loop.syncing import AGREED_GRACE_S, UNLISTED_GRACE_S
from raytui.autoscaler.simulation.inline import Inline
from raytui.model.command import HoldNodes, RequestResources, SetFloor, Terminate
from raytui.model.lifecycle import InstanceStatus, Timeouts
from raytui.model.reason import Why
from raytui.model.resources import Resources
from raytui.model.snapshot import Snapshot
from raytui.model.state import SourceHealth
from raytui.ray.base import RayView
from tests.support.clusters import kind, spec
from tests.support.world import World

SMALL = kind("small", 0.2, CPU=4, max=20)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Five nodes that run, and are needed no longer in 60 s."""
    world = World(spec(SMALL, idle_s=60), tmp_path / "ledger.db")
    world.order(SetFloor("small", 5))
    world.run_until(running(5))
    return world


def running(count: int) -> Callable[[Snapshot], bool]:
    return lambda s: next(r for r in s.types if r.name == "small").running == count


def source(snapshot: Snapshot, name: str) -> SourceHealth:
    return next(s for s in snapshot.sources if s.name == name)


def hide_from_listing(world: World, *names: str) -> None:
    hidden = set(names)
    everything = world.provider.instances
    world.provider.list_instances = lambda: [
        i for name, i in everything.items() if name not in hidden
    ]


def show_all(world: World) -> None:
    del world.provider.list_instances


def let_ray_say(world: World, change: Callable[[RayView], RayView]) -> None:
    """Let GCS's answers be changed on their way."""
    observe = type(world.ray).observe
    world.ray.observe = lambda: change(observe(world.ray))


def let_ray_speak(world: World) -> None:
    del world.ray.observe


class TestListing:
    def test_an_empty_one_is_not_believed_while_ray_sees_the_nodes(self, world: World) -> None:
        hide_from_listing(world, *world.provider.instances)
        world.order(SetFloor("small", 0))
        world.run(int(CONFIRM_S) - 2)
        health = source(world.snapshot, "provider")
        assert (health.ok, health.doubt) == (False, "it lists 0 of 6 instances that run")
        assert running(5)(world.snapshot)
        show_all(world)
        world.run()
        assert source(world.snapshot, "provider").ok
        assert "provider is not believed: it lists 0 of 6 instances" in world.text()
        assert "provider is believed again" in world.text()
        assert "lost" not in world.text()

    def test_most_of_the_nodes_gone_at_once_are_not_believed_either(self, world: World) -> None:
        hide_from_listing(world, *world.workers()[:4])
        world.run(5)
        assert source(world.snapshot, "provider").doubt == "it lists 2 of 6 instances that run"
        assert running(5)(world.snapshot)

    def test_what_it_says_for_long_enough_is_believed(self, world: World) -> None:
        gone = world.workers()[:4]
        hide_from_listing(world, *gone)
        world.run(int(CONFIRM_S + UNLISTED_GRACE_S) + 5)
        assert not any(row.id == gone[0] and row.member.instance for row in world.snapshot.rows)
        assert f"lost small {gone[0]}: the provider no longer lists it" in world.text()

    def test_what_ray_has_lost_too_is_believed_soon(self, world: World) -> None:
        for name in world.workers()[:4]:
            del world.provider.instances[name]
        world.run(int(AGREED_GRACE_S) - 2)
        assert "the provider no longer lists it" not in world.text()
        world.run(5)
        assert source(world.snapshot, "provider").ok
        assert world.text().count("the provider no longer lists it") == 4

    def test_a_few_that_are_missing_wait_for_ray_and_block_nothing(self, world: World) -> None:
        one = world.workers()[0]
        hide_from_listing(world, one)
        world.run(int(UNLISTED_GRACE_S) - 2)
        assert all(s.ok for s in world.snapshot.sources)
        assert running(5)(world.snapshot)
        show_all(world)
        world.run(5)
        hide_from_listing(world, one)
        world.run(int(UNLISTED_GRACE_S) - 2)  # each absence is counted from its own beginning
        assert running(5)(world.snapshot)

    def test_an_empty_one_after_a_restart_is_not_believed(self, world: World) -> None:
        hide_from_listing(world, *world.provider.instances)
        world.boot()
        world.run(10)
        assert source(world.snapshot, "provider").doubt == "it lists 0 of 6 instances that run"
        assert "lost" not in world.text()

    def test_one_asked_for_before_a_launch_knows_nothing_of_it(self, world: World) -> None:
        slow = SlowListings()
        world.boot(slow)
        world.run(2)
        world.order(SetFloor("small", 7))
        world.run(25)
        slow.answer()  # of 25 seconds ago
        world.run(3)
        assert "lost" not in world.text()
        assert len(world.workers()) == 7


class SlowListings(Inline):
    """The first listing is answered at once, the next when the test says so, then all at once."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: tuple[Future, object] | None = None

    def submit(self, fn, /, *args, **kwargs) -> Future:
        done = super().submit(fn, *args, **kwargs)
        if fn.__name__ != "list_instances":
            return done
        self.count += 1
        if self.count != 2:
            return done
        late: Future = Future()
        self.waiting = (late, done.result())
        return late

    def answer(self) -> None:
        late, listing = self.waiting
        late.set_result(listing)


class TestRay:
    def test_a_gcs_that_has_lost_its_nodes_loses_none_of_ours(self, world: World) -> None:
        let_ray_say(world, lambda view: msgspec.structs.replace(view, nodes=()))
        world.order(RequestResources(((Resources.of(CPU=4), 5),)))
        calls = world.provider.launch_calls
        world.run(int(CONFIRM_S) - 2)
        doubt = source(world.snapshot, "gcs").doubt
        assert doubt == "it has 0 of 6 nodes whose machines are alive"
        assert world.provider.launch_calls == calls
        let_ray_speak(world)
        world.run(2)
        assert running(5)(world.snapshot)
        assert "gcs is believed again" in world.text()
        assert "lost" not in world.text()

    def test_a_state_version_that_goes_back_stops_removals_until_the_nodes_are_back(
        self, world: World
    ) -> None:
        world.order(SetFloor("small", 0))
        first = world.workers()[0]
        start = world.ray.observe().version

        def restarted(view: RayView) -> RayView:
            nodes = tuple(n for n in view.nodes if n.instance_id != first)
            return msgspec.structs.replace(view, version=view.version - start, nodes=nodes)

        let_ray_say(world, restarted)
        world.run(20)
        health = source(world.snapshot, "gcs")
        assert health.doubt.startswith(f"its state went back from version {start} to 1")
        assert len(world.workers()) == 5
        let_ray_say(world, lambda view: msgspec.structs.replace(view, version=view.version - start))
        world.run()
        assert source(world.snapshot, "gcs").ok
        world.run_until(running(0))

    def test_a_head_that_was_lost_to_ray_and_comes_back_runs_again(self, world: World) -> None:
        let_ray_say(
            world,
            lambda v: msgspec.structs.replace(v, nodes=tuple(n for n in v.nodes if not n.is_head)),
        )
        world.run_until(lambda s: s.trouble.startswith("the head is down"))
        let_ray_speak(world)
        world.run(2)
        assert world.snapshot.trouble == ""
        assert world.snapshot.row("head-0").member.status is InstanceStatus.RUNNING

    def test_that_shapes_may_be_hidden_is_a_warning_with_the_setting(self, world: World) -> None:
        let_ray_say(world, lambda view: msgspec.structs.replace(view, capped=True))
        world.run(3)
        health = source(world.snapshot, "gcs")
        assert health.ok
        assert "RAY_max_resource_shapes_per_load_report=-1" in health.warning
        assert world.text().count("there may be more") == 1


class TestClock:
    def test_a_jump_forward_ends_no_wait_early(self, tmp_path: Path) -> None:
        limits = Timeouts(boot_s=60)
        cluster = msgspec.structs.replace(spec(SMALL, idle_s=9000), timeouts=limits)
        world = World(cluster, tmp_path / "l.db")
        world.order(SetFloor("small", 1))
        world.run_until(running(1))
        world.ray._boot_s = (1e9, 1e9)
        world.order(SetFloor("small", 2))
        world.run(30)
        starting = world.workers()[1]
        world.clock_set_by = 3600.0
        world.run(25)
        status = world.snapshot.row(starting).member.status
        assert status is InstanceStatus.ALLOCATED
        world.run(10)
        assert "no sign of it 1m00s after it was allocated" in world.text()

    def test_a_jump_forward_leaves_a_drain_its_time(self, world: World) -> None:
        name = world.workers()[0]
        world.order(HoldNodes(tuple(world.workers()[1:])))
        let_ray_say(world, busy)
        world.order(Terminate((name,), drain_s=60))
        world.run(20)
        world.clock_set_by = 3600.0
        world.run(35)
        assert name in world.workers()
        world.run(10)
        assert name not in world.workers()

    @pytest.mark.parametrize(
        ("jump_s", "words"), [(3600.0, "it jumped 1h00m forward"), (-90.0, "it jumped 1m30s back")]
    )
    def test_nothing_is_removed_just_after_a_jump(
        self, world: World, jump_s: float, words: str
    ) -> None:
        world.order(SetFloor("small", 0))
        world.clock_set_by = jump_s
        world.run()
        assert source(world.snapshot, "clock").doubt == words
        assert f"clock is not believed: {words}" in world.text()
        assert running(5)(world.snapshot)
        world.run(6)
        assert "clock" not in {s.name for s in world.snapshot.sources}

    def test_small_steps_are_nobodys_business(self, world: World) -> None:
        for by in (1.0, 30.0, 29.0):
            world.clock_set_by = by
            world.run(3)
        assert "clock" not in world.text()


def busy(view: RayView) -> RayView:
    nodes = tuple(msgspec.structs.replace(node, idle_since=0.0) for node in view.nodes)
    return msgspec.structs.replace(view, nodes=nodes)


def test_what_is_doubted_is_why_requests_wait(world: World) -> None:
    hide_from_listing(world, *world.provider.instances)
    world.order(RequestResources(((Resources.of(CPU=4), 9),)))
    world.run(3)
    (reason,) = {o.reason.why: o.reason for o in world.snapshot.outcomes}.values()
    assert reason.why is Why.DOUBTED
    said = explain(reason, world.now)
    assert said == "provider is not believed yet: it lists 0 of 6 instances that run"
