"""Nodes that one placement group cannot start without are launched all or not at all."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from raytui.autoscaler.planning.planner import plan
from raytui.backends.base import CapacityError, LaunchRequest
from raytui.model.codec import decode
from raytui.model.plan import Launch, Memory
from raytui.model.spec import Offering
from raytui.model.state import ClusterState, Instance
from tests.support.clusters import NOW, bundle, demand, gang, kind, spec, state
from tests.support.world import World

CPU = kind("cpu", 0.2, CPU=4)
GPU = kind("gpu", 2.0, CPU=4, GPU=1)


def launches(seen: ClusterState) -> dict[str, bool]:
    """Whether the nodes of each type are to come all or not at all."""
    made = plan(seen, spec(CPU, GPU), Memory(), NOW).launches
    return {launch.node_type: launch.all_or_nothing for launch in made}


@pytest.mark.parametrize("strategy", ["PACK", "SPREAD", "STRICT_SPREAD"])
def test_the_nodes_of_one_group_come_all_or_not_at_all(strategy: str) -> None:
    assert launches(state(gangs=[gang(strategy, *[bundle(CPU=4)] * 3)])) == {"cpu": True}


def test_tasks_are_glad_of_each_node() -> None:
    assert launches(state(demands=[demand(12, CPU=1)])) == {"cpu": False}


def test_tasks_do_not_wait_for_the_group_that_shares_their_nodes() -> None:
    seen = state(demands=[demand(3, GPU=1)], gangs=[gang("SPREAD", *[bundle(CPU=4)] * 3)])
    assert launches(seen) == {"gpu": False}, "they share nodes"


def test_nodes_that_groups_share_serve_one_group_when_only_some_come() -> None:
    several = [gang("STRICT_SPREAD", *[bundle(CPU=1)] * 2, name=f"pg{n}") for n in range(12)]
    assert launches(state(gangs=several))["cpu"] is False


def test_a_group_on_two_types_takes_what_comes_as_no_call_covers_both() -> None:
    seen = state(gangs=[gang("PACK", *[bundle(CPU=4)] * 2, *[bundle(CPU=4, GPU=1)] * 2)])
    assert launches(seen) == {"cpu": False, "gpu": False}


def test_one_node_is_all_there_is_to_it() -> None:
    assert launches(state(gangs=[gang("STRICT_PACK", *[bundle(CPU=1)] * 3)])) == {"cpu": False}


class Full:
    """Stands before a world's provider, notes what it is asked for, and refuses it."""

    def __init__(self, world: World) -> None:
        self.asked: list[LaunchRequest] = []
        world.provider.launch = self.launch

    def launch(self, request: LaunchRequest) -> list[Instance]:
        self.asked.append(request)
        raise CapacityError("InsufficientInstanceCapacity: not all of them")


def test_the_provider_is_told_and_the_ledger_keeps_it(tmp_path) -> None:
    two = (Offering("m5.large", "a", price_per_hour=0.1), Offering("m5.large", "b"))
    world = World(spec(kind("cpu", offerings=two, CPU=4)), tmp_path / "ledger.db")
    cloud = Full(world)
    observe, waiting = world.ray.observe, gang("SPREAD", *[bundle(CPU=4)] * 3)
    world.ray.observe = lambda: replace(observe(), gangs=(waiting,))
    world.run(3)
    assert [(r.count, r.offering.zone, r.all_or_nothing) for r in cloud.asked] == [
        (3, "a", True),
        (3, "b", True),
    ]
    world.ledger.begin_request(replace(cloud.asked[0], request_id="again"), 1, NOW)
    ((kept, _),) = world.ledger.open_requests()
    assert kept.all_or_nothing


def test_what_was_written_before_there_was_such_a_word_can_be_read() -> None:
    request = b'{"request_id": "cpu-1", "node_type": "cpu", "count": 2}'
    assert decode(request, LaunchRequest).all_or_nothing is False
    launch = b'{"node_type": "cpu", "count": 2, "reason": {"why": "min-workers", "args": {}}}'
    assert decode(launch, Launch).all_or_nothing is False
