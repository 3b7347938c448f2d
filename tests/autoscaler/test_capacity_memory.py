"""Failed launches are remembered as widely and as long as their kind tells; others are tried."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.autoscaler.loop import failures
from raytui.autoscaler.planning.avoided import Avoided, scope_text
from raytui.backends.base import (
    AuthError,
    CapacityError,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    ProviderError,
    QuotaError,
    ThrottledError,
    TransientError,
)
from raytui.model.command import SetFloor
from raytui.model.plan import FailureKind, LaunchFailure
from raytui.model.reason import Why
from raytui.model.spec import Market, NodeType, Offering
from raytui.model.state import Instance
from tests.support.clusters import kind, spec
from tests.support.world import World

NOW = 1_000.0
LARGE_A = Offering("m5.large", "a")
LARGE_B = Offering("m5.large", "b")
LARGE_A_SPOT = Offering("m5.large", "a", Market.SPOT)
XLARGE_A = Offering("m5.xlarge", "a")
GPU_A = Offering("p4d.24xlarge", "a")
ALL = {
    "large a": ("cpu", LARGE_A),
    "large b": ("cpu", LARGE_B),
    "large a spot": ("cpu", LARGE_A_SPOT),
    "large a of another type": ("other", LARGE_A),
    "xlarge a": ("cpu", XLARGE_A),
    "gpu a": ("gpu", GPU_A),
}


def failed(kind_: FailureKind, node_type: str = "cpu", offering: Offering = LARGE_A):
    error = ProviderError("no")
    error.kind = kind_
    return failures.remember((), node_type, offering, error, NOW, NOW)


@pytest.mark.parametrize(
    ("what", "avoided", "words"),
    [
        (FailureKind.CAPACITY, {"large a", "large a of another type"}, "m5.large a"),
        (
            FailureKind.QUOTA,
            {"large a", "large b", "large a of another type", "xlarge a"},
            "all m5",
        ),
        (FailureKind.AUTH, set(ALL), "every launch"),
        (
            FailureKind.CONFIG,
            {"large a", "large b", "large a spot", "xlarge a"},
            "type cpu",
        ),
        (FailureKind.SETUP, {"large a", "large b", "large a spot", "xlarge a"}, "type cpu"),
        (FailureKind.THROTTLED, set(ALL), "every launch"),
        (FailureKind.TRANSIENT, {"large a"}, "m5.large a"),
    ],
)
def test_each_kind_of_failure_blocks_what_it_tells_of(what, avoided, words) -> None:
    known = failed(what)
    now = Avoided(known, NOW + 1)
    assert {name for name, where in ALL.items() if now.offering(*where)} == avoided
    assert scope_text(known[0]) == words


def of_quota(instance_type: str, vcpus: float, market: Market = Market.ON_DEMAND) -> Offering:
    return Offering(instance_type, "a", market, quota="Standard", quota_share=vcpus)


def test_a_quota_that_the_provider_names_holds_for_all_families_that_it_counts() -> None:
    known = failed(FailureKind.QUOTA, offering=of_quota("m5.large", 2))
    now = Avoided(known, NOW + 1)
    assert now.offering("other", of_quota("c5.xlarge", 4))
    assert not now.offering("other", of_quota("c5.xlarge", 4, Market.SPOT))
    assert not now.offering("gpu", Offering("p4d.24xlarge", "a", quota="P", quota_share=96))
    assert scope_text(known[0]) == "Standard quota"


def test_what_takes_less_of_a_quota_is_tried_and_proves_nothing_for_what_takes_more() -> None:
    known = failed(FailureKind.QUOTA, offering=of_quota("m5.24xlarge", 96))
    assert not Avoided(known, NOW + 1).offering("cpu", of_quota("m5.large", 2))
    assert Avoided(known, NOW + 1).offering("cpu", of_quota("c5.24xlarge", 96))
    launched = failures.forgive_launch(known, "cpu", of_quota("m5.large", 2), NOW + 1)
    assert launched == known
    assert failures.forgive_launch(known, "cpu", of_quota("c5.metal", 96), NOW + 1) == ()


def test_without_an_instance_type_a_failure_is_the_node_types_own() -> None:
    now = Avoided(failed(FailureKind.CAPACITY, offering=Offering()), NOW + 1)
    assert now.offering("cpu", Offering())
    assert not now.offering("gpu", Offering())


def test_a_type_is_avoided_until_the_first_of_its_offerings_may_be_tried() -> None:
    known = (
        LaunchFailure("cpu", FailureKind.CAPACITY, "none in a", NOW, NOW + 90, "a", "m5.large"),
        LaunchFailure("cpu", FailureKind.CAPACITY, "none in b", NOW, NOW + 30, "b", "m5.large"),
    )
    both = NodeType("cpu", offerings=(LARGE_A, LARGE_B))
    first = Avoided(known, NOW + 1).node_type(both)
    assert first is not None
    assert first.message == "none in b"
    assert Avoided(known, NOW + 31).node_type(both) is None


@given(st.sampled_from(FailureKind), st.integers(1, 30))
def test_the_pause_doubles_up_to_its_limit_and_repeats_exactly(kind_, times) -> None:
    error = ProviderError("no")
    error.kind = kind_
    known: tuple[LaunchFailure, ...] = ()
    pauses = []
    for step in range(times):
        at = NOW + 10_000 * step
        again = failures.remember(known, "cpu", LARGE_A, error, at, at)
        assert again == failures.remember(known, "cpu", LARGE_A, error, at, at)
        known = again
        pauses.append(known[0].retry_at - at)
    assert known[0].count == times
    assert all(0 < pause <= 750 for pause in pauses)
    longest = max(pauses)
    assert all(b > a for a, b in pairwise(pauses) if b < longest / 2)


def test_what_fails_together_has_failed_once() -> None:
    error = CapacityError("none")
    known: tuple[LaunchFailure, ...] = ()
    for _ in range(10):
        known = failures.remember(known, "cpu", LARGE_A, error, NOW, NOW + 3)
    assert known[0].count == 1
    known = failures.remember(known, "cpu", LARGE_A, error, NOW + 40, NOW + 41)
    assert known[0].count == 2


def test_a_launch_that_works_disproves_what_was_known_when_it_began() -> None:
    known = failed(FailureKind.CAPACITY) + failed(FailureKind.AUTH) + failed(FailureKind.SETUP)
    assert failures.forgive_launch(known, "cpu", LARGE_A, NOW - 1) == known
    left = failures.forgive_launch(known, "cpu", LARGE_A, NOW + 60)
    assert [f.kind for f in left] == [FailureKind.SETUP]
    assert failures.forgive_start(left, "cpu", NOW + 60) == ()


# -- in the loop --------------------------------------------------------------------------------


class Refusals:
    """Stands before a world's provider and refuses some offerings."""

    def __init__(self, world: World) -> None:
        self.errors: dict[Offering, ProviderError] = {}
        self.room: dict[Offering, int] = {}
        """How many machines an offering still has; endless when it is not here."""
        self.asked: list[tuple[str, Offering, int]] = []
        self._launch = world.provider.launch
        world.provider.launch = self.launch

    def launch(self, request: LaunchRequest) -> list[Instance]:
        offering = request.offering
        self.asked.append((request.node_type, offering, request.count))
        if offering in self.errors:
            raise self.errors[offering]
        room = self.room.get(offering, request.count)
        if room >= request.count:
            return self._launch(request)
        fewer = LaunchRequest(request.request_id, request.node_type, room, offering)
        came = self._launch(fewer) if room else []
        self.room[offering] = 0
        raise PartialLaunchError(came, CapacityError(f"no more {offering.text()}"))


SPOT = Offering("m5.large", "a", Market.SPOT, 0.03)
HERE = Offering("m5.large", "a", price_per_hour=0.10)
THERE = Offering("m5.large", "b", price_per_hour=0.12)


def types(**offerings: tuple[Offering, ...]) -> Mapping[str, NodeType]:
    return {
        name: kind(name, None, CPU=4, max=20, offerings=ways) for name, ways in offerings.items()
    }


def world_of(tmp_path: Path, **offerings: tuple[Offering, ...]) -> tuple[World, Refusals]:
    world = World(spec(*types(**offerings).values(), max_workers=40), tmp_path / "ledger.db")
    return world, Refusals(world)


def markets(world: World) -> list[Market]:
    return sorted(i.market for i in world.provider.instances.values() if not i.is_head)


def test_spot_falls_back_to_on_demand_at_once_and_returns_when_the_block_ends(tmp_path) -> None:
    world, refusals = world_of(tmp_path, cpu=(SPOT, HERE))
    refusals.errors[SPOT] = CapacityError("InsufficientInstanceCapacity: no spot")
    world.order(SetFloor("cpu", 2))
    world.run()
    assert world.reconciler.due(), "the answer of a failed call wakes the loop"
    world.run()
    assert markets(world) == [Market.ON_DEMAND, Market.ON_DEMAND]
    refusals.errors.clear()
    world.run(60)
    world.order(SetFloor("cpu", 3))
    world.run(2)
    assert markets(world) == [Market.ON_DEMAND, Market.ON_DEMAND, Market.SPOT]


def test_a_launch_is_split_over_the_offerings_that_have_machines(tmp_path) -> None:
    world, refusals = world_of(tmp_path, cpu=(HERE, THERE))
    refusals.room[HERE] = 6
    world.order(SetFloor("cpu", 10))
    world.run(3)
    assert [(o.zone, count) for _, o, count in refusals.asked] == [("a", 10), ("b", 4)]
    zones = [i.zone for i in world.provider.instances.values() if not i.is_head]
    assert (zones.count("a"), zones.count("b")) == (6, 4)
    (known,) = world.snapshot.failures
    assert (known.kind, known.zone, known.count) == (FailureKind.CAPACITY, "a", 1)
    assert "no more m5.large a" in known.message


def test_types_that_use_the_same_machines_share_the_memory(tmp_path) -> None:
    world, refusals = world_of(tmp_path, one=(HERE,), two=(HERE,))
    refusals.errors[HERE] = CapacityError("none")
    world.order(SetFloor("one", 1))
    world.run(3)
    world.order(SetFloor("two", 1))
    world.run(3)
    assert [name for name, _, _ in refusals.asked] == ["one"]
    (waiting,) = [o for o in world.snapshot.outcomes if o.label == "floor of two"]
    assert waiting.reason.why is Why.BACKING_OFF
    assert waiting.reason.args["node_type"] == "two"


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (QuotaError("VcpuLimitExceeded"), {"cpu a"}),
        (AuthError("UnauthorizedOperation"), {"cpu a"}),
        (ConfigError("InvalidAMIID.NotFound"), {"cpu a", "other a"}),
        (ThrottledError("RequestLimitExceeded"), {"cpu a", "other a"}),
        (TransientError("InternalError"), {"cpu a", "cpu b", "other a", "other b"}),
    ],
)
def test_what_is_not_tried_after_a_failure(tmp_path, error, asked) -> None:
    world, refusals = world_of(tmp_path, cpu=(HERE, THERE), other=(HERE, THERE))
    refusals.errors = {HERE: error, THERE: error}
    world.order(SetFloor("cpu", 1))
    world.run(10)  # what may have been done is asked for twice more, under the same id
    world.order(SetFloor("other", 1))
    world.run(10)
    assert {f"{name} {offering.zone}" for name, offering, _ in refusals.asked} == asked
    assert str(error) in world.text()
    for failure in world.snapshot.failures:
        assert failure.message == str(error)


def test_the_memory_survives_a_restart(tmp_path) -> None:
    world, refusals = world_of(tmp_path, cpu=(HERE,))
    refusals.errors[HERE] = CapacityError("none")
    world.order(SetFloor("cpu", 1))
    world.run(3)
    world.boot()
    world.run(10)
    assert len(refusals.asked) == 1
    refusals.errors.clear()
    world.run_until(lambda s: s.types[1].running == 1)
    assert world.snapshot.failures == ()
