"""When EC2 is asked for a listing, and what is told in between."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from raytui.backends import tags as made
from raytui.backends.aws.described import Described
from raytui.backends.aws.listing import Listing
from raytui.backends.base import ThrottledError, TransientError
from raytui.model.lifecycle import InstanceStatus
from raytui.model.state import Instance
from tests.aws.world import World, ids


class Watch:
    """A steady clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch(world: World) -> Watch:
    world.steady = watch = Watch()
    world.machines = world.again()
    return watch


def settled(world: World, watch: Watch, count: int = 2) -> list[Instance]:
    """Instances of which two listings, a minute after their launch, have told the same."""
    launched = world.launch("request-1", count)
    world.now += 61
    for _ in range(2):
        watch.seconds += 61
        world.machines.list_instances()
    return launched


def asked(world: World, watch: Watch, seconds: float) -> int:
    """How often EC2 is asked by somebody who wants a listing each second."""
    before = world.ec2.calls["DescribeInstances"]
    for _ in range(round(seconds)):
        watch.seconds += 1
        world.now += 1
        world.machines.list_instances()
    return world.ec2.calls["DescribeInstances"] - before


def test_when_all_is_settled_it_is_asked_for_every_half_minute(world: World, watch: Watch) -> None:
    launched = settled(world, watch)
    assert asked(world, watch, 600) == 20
    assert ids(world.machines.list_instances()) == ids(launched)


def test_while_ec2_does_not_tell_of_what_it_gave_it_is_asked_every_two_seconds(
    world: World, watch: Watch
) -> None:
    settled(world, watch)
    world.ec2.lag_behind = True
    world.launch("request-2")
    assert asked(world, watch, 20) == 10
    world.ec2.catch_up()
    assert asked(world, watch, 4) == 2  # one tells of it, the next confirms that
    assert asked(world, watch, 26) == 0


def test_a_launch_and_an_end_are_looked_after_at_once(world: World, watch: Watch) -> None:
    (one, _) = settled(world, watch)
    watch.seconds += 5
    world.launch("request-2")
    assert asked(world, watch, 1) == 1
    asked(world, watch, 10)
    world.machines.terminate([one.instance_id])
    assert asked(world, watch, 1) == 1
    assert one.instance_id not in ids(world.machines.list_instances())


def test_what_ends_is_told_at_once_and_until_ec2_says_that_it_has_ended(
    world: World, watch: Watch
) -> None:
    world.machines = world.again(world.cluster(cache_stopped_nodes=False))
    (one, _) = settled(world, watch)
    world.ec2.ignore("TerminateInstances")
    world.machines.terminate([one.instance_id])
    listed = {i.instance_id: i.status for i in world.machines.list_instances()}
    assert listed[one.instance_id] is InstanceStatus.TERMINATING
    assert asked(world, watch, 20) == 10


def test_a_listing_that_is_another_than_before_is_confirmed_soon(
    world: World, watch: Watch
) -> None:
    (one, two) = settled(world, watch)
    world.ec2.unlisted.add(one.instance_id)
    watch.seconds += 30
    assert ids(world.machines.list_instances()) == [two.instance_id]
    world.ec2.unlisted.clear()
    assert asked(world, watch, 2) == 1
    assert ids(world.machines.list_instances()) == ids([one, two])


def test_who_has_heard_something_has_it_asked_for_soon(world: World, watch: Watch) -> None:
    (one, two) = settled(world, watch)
    world.ec2.take_back(one.instance_id, "Server.SpotInstanceTermination", "Spot capacity ended")
    watch.seconds += 3
    assert ids(world.machines.list_instances()) == ids([one, two])
    assert world.machines.listing_age_s() == 3
    world.machines.look_again()
    lost = {i.instance_id: i.status for i in world.machines.list_instances()}[one.instance_id]
    assert lost is InstanceStatus.LOST
    assert world.machines.listing_age_s() == 0


def test_who_must_know_now_waits_for_nothing(world: World, watch: Watch) -> None:
    (one, two) = settled(world, watch)
    world.ec2.unlisted.add(one.instance_id)
    world.machines.look_again()
    assert len(world.machines.list_instances()) == 2
    world.machines.look_again(at_once=True)
    assert ids(world.machines.list_instances()) == [two.instance_id]


def test_a_failure_is_the_answer_until_it_is_asked_again_ever_more_rarely(
    world: World, watch: Watch
) -> None:
    settled(world, watch)
    world.ec2.fail("DescribeInstances", "InternalError", status=500)
    watch.seconds += 30
    tries = []
    for second in range(120):
        before = world.ec2.calls["DescribeInstances"]
        with pytest.raises(TransientError, match="InternalError"):
            world.machines.list_instances()
        if world.ec2.calls["DescribeInstances"] > before:
            tries.append(second)
        watch.seconds += 1
    assert tries == [0, 1, 3, 7, 15, 31, 61, 91]
    world.ec2.faults.clear()
    watch.seconds += 30
    assert len(world.machines.list_instances()) == 2


def test_machines_in_a_new_life_are_asked_for_once_for_all(world: World, watch: Watch) -> None:
    stopped = world.launch("request-1", 5)
    world.machines.tag(stopped[0].instance_id, {made.RUNTIME: "as it was"})
    world.machines.terminate(ids(stopped))
    watch.seconds += 5
    world.machines.list_instances()
    started = world.launch("request-2", 5)
    before = world.ec2.calls["DescribeInstances"]
    known = [world.machines.tags(name) for name in ids(started)]
    assert world.ec2.calls["DescribeInstances"] == before + 1
    assert sum(tags.get(made.RUNTIME) == "as it was" for tags in known) == 1


# What an answer costs.


def answer(count: int) -> list[Described]:
    one = Described("", "running", {}, Instance("", "worker", InstanceStatus.ALLOCATED), "")
    names = [f"i-{number:04x}" for number in range(count)]
    return [
        replace(one, ec2_id=name, instance=replace(one.instance, instance_id=name))
        for name in names
    ]


@pytest.mark.parametrize(
    ("cost_s", "settled_s"), [(0.01, 30), (0.5, 100), (100.0, 120)], ids=["cheap", "dear", "huge"]
)
def test_an_answer_that_takes_long_to_read_is_asked_for_more_rarely(
    watch: Watch, cost_s: float, settled_s: float
) -> None:
    asked_at: list[float] = []
    spent = 0.0

    def ask() -> list[Described]:
        nonlocal spent
        asked_at.append(watch.seconds)
        spent += cost_s
        return answer(3)

    listing = Listing(ask, lambda since: (), lambda: 0.0, watch, lambda: spent)
    for _ in range(1000):
        listing.instances()
        watch.seconds += 1
    apart = [after - before for before, after in pairwise(asked_at)]
    assert apart[0] == min(max(2, cost_s * 20), 30)
    assert set(apart[1:]) == {settled_s}


def test_a_throttled_question_raises_what_ec2_said(world: World, watch: Watch) -> None:
    world.ec2.fail("DescribeInstances", "RequestLimitExceeded", status=503)
    for _ in range(2):
        with pytest.raises(ThrottledError):
            world.machines.list_instances()
