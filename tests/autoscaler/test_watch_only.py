"""A reconciler that only watches: it observes and explains, and tells nobody anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.inline import Inline
from raytui.autoscaler.simulation.simulated_ray import SimulatedRay
from raytui.backends.base import LaunchRequest
from raytui.backends.fake import FakeProvider
from raytui.model.command import RequestResources, Resume, SetFloor
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Wait
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.spec import ClusterSpec
from raytui.ray.base import AutoscalerReport, DrainAnswer
from tests.support.clusters import kind, spec

WHY = "somebody else scales it: ask them to stop"
SMALL = kind("small", 0.2, CPU=4, min=2, max=20)


class Shared(FakeProvider):
    """A provider whose nodes are for somebody else to scale, until they are not."""

    why = ""

    def why_only_watched(self) -> str:
        return self.why


class Told(SimulatedRay):
    """Notes what it was told."""

    told: list[str]

    def report(self, report: AutoscalerReport) -> None:
        self.told.append("report")

    def take_over(self, spec: ClusterSpec) -> None:
        self.told.append("take over")

    def drain(self, node_id: str, *, idle_only: bool, message: str, deadline: float) -> DrainAnswer:
        self.told.append("drain")
        return super().drain(node_id, idle_only=idle_only, message=message, deadline=deadline)


class Watched:
    """A cluster with a floor of two, and a reconciler that moves in steps of a second."""

    def __init__(self, path: Path) -> None:
        self.now = 1_000_000.0
        self.path = path
        self.provider = Shared(clock=self.clock)
        self.provider.launch(LaunchRequest("head", "head", 1, is_head=True))
        self.provider.launch_calls = 0
        self.ray = Told(spec(SMALL, idle_s=30), self.provider, (), clock=self.clock, boot_s=(3, 3))
        self.ray.told = []

    def clock(self) -> float:
        return self.now

    def boot(self, watch_only: str = "") -> None:
        self.ledger = Ledger(self.path)
        self.reconciler = Reconciler(
            spec(SMALL, idle_s=30),
            self.provider,
            self.ray,
            self.ledger,
            info=ClusterInfo("test", "fake"),
            pool=Inline(),
            clock=self.clock,
            steady=self.clock,
            watch_only=watch_only,
        )

    def run(self, seconds: int) -> Snapshot:
        for _ in range(seconds):
            self.now += 1
            snapshot = self.reconciler.tick()
        return snapshot

    def workers(self) -> list[str]:
        return [name for name, one in self.provider.instances.items() if not one.is_head]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "ledger.db")


def test_nothing_is_launched_and_everything_says_why(watched: Watched) -> None:
    watched.boot(WHY)

    snapshot = watched.run(5)

    assert watched.provider.launch_calls == 0
    assert watched.ray.told == []
    assert snapshot.watch_only == WHY
    assert snapshot.trouble == ""
    (floor,) = snapshot.outcomes
    assert (floor.wait, floor.reason) == (Wait.BLOCKED, because(Why.WATCHED, cause=WHY))


@pytest.mark.parametrize(
    "command",
    [SetFloor("small", 3), RequestResources(((Resources.of(CPU=4), 3),)), Resume()],
    ids=lambda command: type(command).__name__,
)
def test_commands_are_refused_with_the_same_words(watched: Watched, command: object) -> None:
    watched.boot(WHY)
    watched.run(1)

    answer = watched.reconciler.command(command, "ann@host")  # type: ignore[arg-type]

    assert (answer.ok, answer.text) == (False, WHY)


def test_idle_nodes_are_left_to_whoever_scales(watched: Watched) -> None:
    watched.provider.launch(LaunchRequest("theirs", "small", 4))
    watched.boot(WHY)

    snapshot = watched.run(120)

    assert len(watched.workers()) == 4
    assert [row.running for row in snapshot.types if row.name == "small"] == [4]
    assert watched.ray.told == []


def test_node_whose_ray_is_away_for_a_while_is_not_given_up(watched: Watched) -> None:
    watched.provider.launch(LaunchRequest("theirs", "small", 4))
    watched.boot(WHY)
    watched.run(10)
    name = watched.workers()[0]
    del watched.ray._hosts[name]
    watched.ray._boots[name] = watched.now + 60

    lost = watched.run(45).row(name)
    back = watched.run(30).row(name)

    assert lost is not None and lost.member.status is InstanceStatus.LOST
    assert back is not None and back.member.status is InstanceStatus.RUNNING


def test_it_begins_to_act_when_nobody_else_scales_any_more(watched: Watched) -> None:
    watched.provider.why = WHY
    watched.boot()
    assert watched.run(3).watch_only == WHY
    watched.provider.why = ""

    snapshot = watched.run(20)

    assert snapshot.watch_only == ""
    assert len(watched.workers()) == 2
    assert watched.ray.told[:2] == ["take over", "report"]
    said = [event.text for event in watched.ledger.events(50)]
    assert f"only watching: {WHY}" in said
    assert "acting again: nothing stands in the way" in said


def test_it_stops_acting_when_somebody_else_begins_to_scale(watched: Watched) -> None:
    watched.boot()
    watched.run(20)
    watched.provider.why = WHY
    watched.run(1)
    watched.ray.told.clear()
    watched.provider.terminate(watched.workers())

    watched.run(60)

    assert watched.workers() == []
    assert watched.ray.told == []
