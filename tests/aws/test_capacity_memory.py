"""What EC2 refuses is remembered as widely as it tells, by the real loop over HTTP."""

from __future__ import annotations

import pytest

from raytui.autoscaler.planning.avoided import scope_text
from raytui.backends.aws.session import AwsSession
from raytui.model.command import SetFloor
from raytui.model.plan import FailureKind
from raytui.model.spec import Market
from tests.aws.emulated import Emulated, Fields
from tests.aws.looped import MARKET, Looped
from tests.aws.world import REGION, SPOT, A, B, World, priced

TEN_MINUTES = 600


@pytest.fixture
def world(ec2: Emulated) -> World:
    """Calls are not tried again by themselves: each counts."""
    return World(ec2, AwsSession({"region": REGION}, attempts=1))


def standing(looped: Looped) -> list[str]:
    return sorted(scope_text(failure) for failure in looped.snapshot.failures)


def of(instance_type: str, spot: bool = False):
    def applies(fields: Fields) -> bool:
        return fields["InstanceType"] == instance_type and (MARKET in fields) == spot

    return applies


def test_zone_then_type_then_market_are_tried_in_the_same_moment_and_spot_again_later(
    world: World,
) -> None:
    looped = Looped(
        world,
        cpu=(
            priced(0.03, "m5.xlarge", market=SPOT),
            priced(0.04, "m6i.xlarge", market=SPOT),
            priced(0.19, "m5.xlarge"),
        ),
    )
    lacking = {"code": "InsufficientInstanceCapacity", "status": 500}
    looped.ec2.fail("RunInstances", when=of("m5.xlarge", spot=True), **lacking)
    looped.ec2.fail("RunInstances", when=of("m6i.xlarge", spot=True), **lacking)
    looped.order(SetFloor("cpu", 2))
    began = looped.now
    looped.settle()
    assert looped.now == began
    assert looped.asked() == [
        f"2 m5.xlarge {A} spot",
        f"2 m5.xlarge {B} spot",
        f"2 m6i.xlarge {A} spot",
        f"2 m6i.xlarge {B} spot",
        f"2 m5.xlarge {A}",
    ]
    assert standing(looped) == [
        f"{name} {zone} spot" for name in ("m5.xlarge", "m6i.xlarge") for zone in (A, B)
    ]
    looped.ec2.faults.clear()
    looped.run(40)  # until the blocks end
    looped.order(SetFloor("cpu", 3))
    looped.run(5)
    assert looped.asked()[5:] == [f"1 m5.xlarge {A} spot"]
    markets = sorted(worker.market for worker in looped.workers())
    assert markets == [Market.ON_DEMAND, Market.ON_DEMAND, Market.SPOT]


def test_a_zone_with_room_for_a_part_gives_it_and_the_next_zone_the_rest(world: World) -> None:
    looped = Looped(world, cpu=(priced(0.2, "m5.xlarge"),))
    looped.ec2.room[("m5.xlarge", A)] = 2
    looped.order(SetFloor("cpu", 5))
    looped.settle()
    assert looped.asked() == [f"5 m5.xlarge {A}", f"3 m5.xlarge {B}"]
    assert standing(looped) == [f"m5.xlarge {A}"]
    looped.run(5)
    assert len(looped.workers()) == 5


def test_a_spot_price_that_is_too_low_is_a_lack_of_capacity(world: World) -> None:
    looped = Looped(world, cpu=(priced(0.03, "m5.xlarge", A, SPOT), priced(0.2, "m5.xlarge", A)))
    looped.ec2.fail("RunInstances", "SpotMaxPriceTooLow", when=of("m5.xlarge", spot=True))
    looped.order(SetFloor("cpu", 1))
    looped.settle()
    assert looped.asked() == [f"1 m5.xlarge {A} spot", f"1 m5.xlarge {A}"]
    (failure,) = looped.snapshot.failures
    assert (failure.kind, failure.market, failure.zone) == (FailureKind.CAPACITY, SPOT, A)
    assert failure.message.startswith("SpotMaxPriceTooLow: ")


@pytest.mark.parametrize("code", ["VcpuLimitExceeded", "InstanceLimitExceeded"])
def test_a_quota_blocks_all_that_counts_against_it_in_all_zones_and_nothing_else(
    world: World, code: str
) -> None:
    looped = Looped(
        world,
        cpu=(priced(0.2, "m5.xlarge"),),
        other=(priced(0.2, "c5.xlarge"),),
        small=(priced(0.1, "c5.large"),),
        gpu=(priced(1.0, "g5.xlarge"),),
    )
    large = ("m5.xlarge", "c5.xlarge")
    looped.ec2.fail("RunInstances", code, when=lambda f: f["InstanceType"] in large)
    looped.order(SetFloor("cpu", 1))
    looped.settle()
    for name in ("other", "small", "gpu"):
        looped.order(SetFloor(name, 1))
    looped.run(10)
    assert sorted(looped.asked()) == sorted(
        [f"1 m5.xlarge {A}", f"1 c5.large {A}", f"1 g5.xlarge {A}"]
    )
    assert standing(looped) == ["Standard quota"]


@pytest.mark.parametrize(
    ("code", "blocked", "most"),
    [
        ("UnauthorizedOperation", "every launch", 5),
        ("InvalidParameterValue", "type cpu", 4),
        ("InvalidAMIID.NotFound", "type cpu", 4),
    ],
)
def test_what_only_a_person_can_mend_is_told_once_and_asked_for_rarely(
    world: World, code: str, blocked: str, most: int
) -> None:
    looped = Looped(world, cpu=(priced(0.2, "m5.xlarge"), priced(0.3, "m6i.xlarge")))
    looped.ec2.fail("RunInstances", code, message="You may not do this.")
    looped.order(SetFloor("cpu", 3))
    looped.run(TEN_MINUTES)
    assert 2 <= looped.ec2.calls["RunInstances"] <= most
    assert standing(looped) == [blocked]
    (failure,) = looped.snapshot.failures
    assert failure.message == f"{code}: You may not do this."
    (waiting,) = [o for o in looped.snapshot.outcomes if o.label == "floor of cpu"]
    assert waiting.reason.args["message"] == failure.message
    errors = [event for event in looped.ledger.events(1000) if event.level == "error"]
    assert len(errors) == looped.ec2.calls["RunInstances"]


def test_throttling_slows_down_the_launches_of_all_types(world: World) -> None:
    looped = Looped(world, one=(priced(0.2, "m5.xlarge"),), two=(priced(0.2, "c5.xlarge"),))
    looped.ec2.fail("RunInstances", "RequestLimitExceeded", status=503)
    looped.order(SetFloor("one", 1))
    looped.run(10)
    assert standing(looped) == ["every launch"]
    looped.order(SetFloor("two", 1))
    looped.run(TEN_MINUTES)
    types = [asked.split()[1] for asked in looped.asked()]
    assert len(types) <= 80, "each of the two at most three times a minute"
    assert looped.ec2.calls["RunInstances"] <= 80
    looped.ec2.faults.clear()
    looped.run(80)
    assert sorted(worker.node_type for worker in looped.workers()) == ["one", "two"]
    assert looped.snapshot.failures == ()


@pytest.mark.parametrize(("lost", "lags"), [(1, False), (1, True), (3, False)])
def test_replies_lost_after_success_bring_no_more_than_was_asked_for(
    world: World, lost: int, lags: bool
) -> None:
    looped = Looped(world, cpu=(priced(0.2, "m5.xlarge"),))
    looped.ec2.lag_behind = lags
    looped.ec2.lose_reply("RunInstances", times=lost)
    looped.order(SetFloor("cpu", 5))
    looped.run(12)
    looped.ec2.catch_up()
    looped.run(60)
    assert len(looped.workers()) == 5
    assert len(world.at_ec2("pending", "running")) == 1 + 5
