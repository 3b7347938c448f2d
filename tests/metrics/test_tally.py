"""What is counted from snapshots, on a simulated cluster: nothing twice, nothing missed."""

from __future__ import annotations

from pathlib import Path

from raytui.autoscaler.metrics.tally import RECENTLY_S, Tally
from raytui.backends.fake import Faults
from raytui.model.command import SetFloor, Terminate
from raytui.model.lifecycle import InstanceStatus
from raytui.model.snapshot import ClusterInfo, Move, Row, Snapshot
from raytui.model.state import Instance, Member, Node, NodeStatus, SourceHealth
from tests.support.clusters import kind, spec
from tests.support.world import World

S = InstanceStatus


def followed(world: World, tally: Tally, seconds: int) -> None:
    for _ in range(seconds):
        tally.take(world.run())


def test_every_node_is_counted_once_from_launch_to_end(tmp_path: Path):
    world = World(spec(kind("small", 0.2, CPU=4, max=4), idle_s=10.0), tmp_path / "l.db")
    tally = Tally()
    world.order(SetFloor("small", 3))
    followed(world, tally, 60)
    assert len(world.workers()) == 3
    assert tally.started == {"small": 3}
    assert (tally.moves["small", S.ALLOCATED], tally.moves["small", S.RUNNING]) == (3, 3)
    assert tally.stopped == 0
    assert tally.create_s.count == tally.set_up_s.count == tally.startup_s.count == 3
    assert tally.startup_s.sum_s == tally.create_s.sum_s + tally.set_up_s.sum_s > 0
    world.order(SetFloor("small", None))
    followed(world, tally, 60)
    assert world.workers() == []
    assert tally.stopped == tally.moves["small", S.TERMINATED] == 3
    assert tally.started == {"small": 3}


def test_an_ordered_end_counts_as_drain_and_stop(tmp_path: Path):
    world = World(spec(kind("small", 0.2, CPU=4, min=1)), tmp_path / "l.db")
    tally = Tally()
    tally.take(world.run_until(lambda s: any(t.running for t in s.types if not t.is_head)))
    victim = world.workers()[0]
    world.order(Terminate((victim,)))
    followed(world, tally, 30)
    assert tally.moves["small", S.DRAINING] == 1
    assert tally.stopped == 1
    assert tally.drains_refused == 0


def test_a_launch_that_fails_is_one_error_and_as_many_nodes(tmp_path: Path):
    world = World(spec(kind("small", 0.2, CPU=4, min=3)), tmp_path / "l.db")
    world.provider.faults = Faults(capacity=1.0)
    tally = Tally()
    followed(world, tally, 3)
    assert tally.launch_errors == 1
    assert tally.count(S.LAUNCH_FAILED) == 3
    assert tally.recently_failed(world.now)["small"] == 3
    assert tally.started.total() == 0
    assert tally.recently_failed(world.now + RECENTLY_S + 10).total() == 0


def test_what_was_there_before_is_no_start(tmp_path: Path):
    world = World(spec(kind("small", 0.2, CPU=4, min=2)), tmp_path / "l.db")
    world.run_until(lambda s: any(t.running == 2 for t in s.types))
    world.boot()
    tally = Tally()
    followed(world, tally, 5)
    assert (tally.started.total(), tally.startup_s.count, tally.stopped) == (0, 0, 0)


def picture(at: float, *moves: Move, node: Node | None = None, there: bool = True) -> Snapshot:
    member = Member(Instance("i-1", "small", S.RUNNING), node)
    return Snapshot(
        ClusterInfo("c", "fake"),
        seq=int(at),
        taken_at=at,
        rows=(Row(member),) if there else (),
        sources=(SourceHealth("gcs", ok=True),),
        moves=moves,
    )


SEEN = Node("n-1", "i-1", "small", NodeStatus.RUNNING)


def test_a_node_that_gcs_misses_recovers_or_does_not():
    tally = Tally()
    for snapshot in (picture(1, node=SEEN), picture(2), picture(3, node=SEEN)):
        tally.take(snapshot)
    assert (tally.recovered, tally.not_recovered, tally.missing) == (1, 0, frozenset())
    tally.take(picture(4))
    assert tally.missing == {"i-1"}
    tally.take(picture(5, there=False))
    assert (tally.recovered, tally.not_recovered, tally.missing) == (1, 1, frozenset())


def test_a_refused_drain_is_counted():
    tally = Tally()
    tally.take(picture(1, Move("i-1", "small", S.RUNNING, was=S.DRAINING)))
    assert tally.drains_refused == 1
    assert tally.startup_s.count == 0


def test_a_node_given_in_an_earlier_life_counts_with_its_last_step():
    tally = Tally()
    move = Move("i-1", "small", S.RUNNING, was=S.SETTING_UP, after_s=4.0, launched_s=9.0)
    tally.take(picture(1, move))
    assert (tally.set_up_s.sum_s, tally.startup_s.sum_s) == (4.0, 9.0)
