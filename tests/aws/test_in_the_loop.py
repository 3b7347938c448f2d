"""The real loop over HTTP: what EC2 tells late, what nobody ordered, and how often it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.planning.orphans import ORPHAN_GRACE_S
from raytui.autoscaler.simulation.inline import Inline
from raytui.backends.aws import tags
from raytui.backends.aws.session import AwsSession
from raytui.model.command import SetFloor, Terminate
from raytui.model.leaving import OrphanPolicy
from raytui.model.lifecycle import InstanceStatus
from raytui.model.snapshot import ClusterInfo, Level, Row
from tests.aws.emulated import Emulated, Server
from tests.aws.looped import Looped
from tests.aws.obedient import ObedientMachines, SetUp
from tests.aws.world import IMAGE, REGION, World, ids, priced
from tests.support.hosts import wait_until

CPU = (priced(0.19, "m5.xlarge"),)


@pytest.fixture
def looped(world: World) -> Looped:
    return Looped(world, cpu=CPU)


def complaints(looped: Looped) -> list[str]:
    return [e.text for e in looped.snapshot.events if e.level in (Level.WARNING, Level.ERROR)]


def of_ours(looped: Looped) -> list[str]:
    """Workers that EC2 has and that have not ended."""
    return [name for name, one in looped.world.at_ec2("running").items() if not _is_head(one)]


def _is_head(found: dict[str, object]) -> bool:
    return tags.read(found["Tags"]).get(tags.KIND) == tags.HEAD  # type: ignore[arg-type]


# Eventual consistency.


def test_what_ec2_does_not_list_for_most_of_a_minute_is_neither_lost_nor_launched_again(
    looped: Looped,
) -> None:
    looped.ec2.lag_behind = True
    looped.order(SetFloor("cpu", 3))
    looped.run(55)
    assert looped.asked() == ["3 m5.xlarge us-west-2a"]
    looped.ec2.catch_up()
    looped.run(60)
    assert looped.asked() == ["3 m5.xlarge us-west-2a"]
    assert ids(looped.workers()) == sorted(of_ours(looped))
    assert {row.member.status for row in looped.snapshot.rows} == {InstanceStatus.RUNNING}
    assert complaints(looped) == []


def test_a_listing_that_once_lacks_what_runs_ends_nothing(looped: Looped) -> None:
    looped.order(SetFloor("cpu", 5))
    looped.run(120)
    running = of_ours(looped)
    looped.ec2.unlisted.update(running[:2])
    looped.run(3)
    looped.ec2.catch_up()
    looped.run(60)
    assert looped.asked() == ["5 m5.xlarge us-west-2a"]
    assert sorted(of_ours(looped)) == sorted(running)


def test_what_is_listed_again_after_minutes_is_taken_in_and_the_floor_is_kept(
    looped: Looped,
) -> None:
    looped.ec2.lag_behind = True
    looped.order(SetFloor("cpu", 2))
    looped.run(200)  # given up, and two others launched, which are listed just as late
    assert len(looped.ec2.launches) >= 2
    looped.ec2.catch_up()
    looped.run(900)  # those that are too many become idle and go
    assert len(of_ours(looped)) == 2
    running = [row.member.id for row in looped.snapshot.rows if not row.member.is_head]
    assert sorted(running) == sorted(of_ours(looped))


def test_a_loop_that_died_with_its_launch_unlisted_goes_on_with_the_same_instances(
    looped: Looped,
) -> None:
    looped.ec2.lag_behind = True
    looped.order(SetFloor("cpu", 3))
    looped.run(2)
    again = Reconciler(
        looped.spec,
        looped.world.again(),  # another process: it knows what is on disk
        looped.ray,
        looped.ledger,
        info=ClusterInfo("mine", "aws"),
        pool=Inline(),
        clock=looped.clock,
        steady=looped.clock,
        new_id=lambda: "again",
    )
    looped.loop = again
    looped.run(30)
    assert looped.asked() == ["3 m5.xlarge us-west-2a"]
    assert complaints(looped) == []


# Orphans.


class Strayed(Looped):
    """One more instance has this cluster's tags, and runs no Ray of it."""

    stray = ""

    def launch_stray(self) -> None:
        written = {tags.CLUSTER: "mine", tags.KIND: tags.WORKER, tags.TYPE: "cpu"}
        found = self.world.aws.call(
            "ec2",
            "run_instances",
            ImageId=IMAGE,
            InstanceType="m5.xlarge",
            SubnetId=next(iter(self.world.subnets.values())),
            MinCount=1,
            MaxCount=1,
            TagSpecifications=tags.specification(["instance"], written),
        )
        self.stray = found["Instances"][0]["InstanceId"]

    def tick(self):
        snapshot = super().tick()
        self.instances.pop(self.stray, None)
        return snapshot

    def row(self) -> Row | None:
        return next((row for row in self.snapshot.rows if row.member.id == self.stray), None)


def test_an_instance_of_ours_that_no_row_is_about_is_an_orphan_with_its_price(world: World) -> None:
    looped = Strayed(world, cpu=CPU)
    looped.launch_stray()
    looped.run(32)
    row = looped.row()
    assert row is not None
    assert row.member.instance is not None
    assert row.member.instance.orphan
    assert row.member.instance.price_per_hour == 0.19
    looped.run(round(ORPHAN_GRACE_S) + 60)
    assert looped.stray in of_ours(looped)


def test_an_orphan_is_swept_when_the_file_says_so(world: World) -> None:
    looped = Strayed(world, cpu=CPU)
    looped.loop.reload(replace(looped.spec, orphans=OrphanPolicy.TERMINATE))
    looped.launch_stray()
    looped.run(32 + round(ORPHAN_GRACE_S) - 40)
    assert looped.stray in of_ours(looped)
    looped.run(120)
    assert looped.stray not in of_ours(looped)
    assert looped.row() is None


def test_when_ray_loses_a_node_ec2_is_asked_at_once_what_became_of_it(world: World) -> None:
    looped = Strayed(world, cpu=CPU)
    looped.order(SetFloor("cpu", 2))
    looped.run(100)
    taken, _ = of_ours(looped)
    looped.ec2.take_back(taken, "Server.InternalError", "the hardware failed")
    looped.run(3)  # all is settled: nobody asks
    assert not any("hardware" in text for text in complaints(looped))
    looped.stray = taken
    looped.run(3)
    assert any("the hardware failed" in text for text in complaints(looped))


# How often EC2 is asked.


def test_nodes_that_leave_one_after_the_other_are_not_each_asked_for(world: World) -> None:
    looped = Looped(world, cpu=CPU)
    looped.order(SetFloor("cpu", 6))
    looped.run(20)
    looped.order(SetFloor("cpu", 0))
    first, *others = of_ours(looped)
    looped.order(Terminate((first,)))
    looped.run(4)
    for name in others:
        before = Counter(looped.ec2.calls)
        looped.order(Terminate((name,)))
        looped.run(4)
        assert name not in of_ours(looped)
        asked = Counter(looped.ec2.calls) - before
        assert asked.pop("DescribeInstances") <= 3  # the listing, every two seconds
        assert asked.total() <= 2


@contextmanager
def counted(looped: Looped, into: Counter[str]) -> Iterator[None]:
    before = Counter(looped.ec2.calls)
    yield
    into.update(Counter(looped.ec2.calls) - before)


def calls_of(ec2: Emulated, nodes: int) -> tuple[Counter[str], Counter[str]]:
    """What EC2 is asked while so many nodes come, and in ten minutes in which nothing happens."""
    world = World(ec2, AwsSession({"region": REGION}, attempts=1))
    world.kind = ObedientMachines
    looped = SetUp(world, cpu=CPU)
    coming: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    try:
        with counted(looped, coming):
            looped.order(SetFloor("cpu", nodes))
            looped.run(3)
            wait_until(looped.all_set_up, "set-ups")
            looped.run(100)
        assert len(of_ours(looped)) == nodes
        assert len([r for r in looped.snapshot.rows if r.member.node is not None]) == nodes + 1
        with counted(looped, idle):
            looped.run(600)
    finally:
        looped.provider.close()
    return coming, idle


def test_no_call_is_made_for_each_instance(
    ec2: Emulated, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, few_idle = calls_of(ec2, 20)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    many, many_idle = calls_of(server.emptied(), 60)
    for idle in (few_idle, many_idle):  # one each half minute, or fewer where that takes long
        assert set(idle) == {"DescribeInstances"}
        assert idle.total() <= 21
    for coming, tags_at_most in ((few, 4), (many, 8)):
        assert 1 <= coming.pop("CreateTags") <= tags_at_most
        assert coming.pop("DescribeInstances") <= 10
    assert few == many
