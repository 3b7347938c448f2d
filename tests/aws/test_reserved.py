"""Capacity that is paid for: what EC2 is asked, and what its lack speaks against."""

from __future__ import annotations

from typing import Any

import pytest

from raytui.autoscaler.loop import failures
from raytui.autoscaler.planning.avoided import Avoided
from raytui.backends.aws.choices import Choice, run_arguments
from raytui.backends.base import CapacityError, LaunchRequest
from raytui.model.command import SetFloor
from raytui.model.spec import Market, Offering
from tests.aws.looped import Looped
from tests.aws.world import IMAGE, A, B, World, priced

RESERVATION = {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}


def offering_of(world: World, **config: Any) -> Offering:
    """The one way to buy a type that is in the first zone alone."""
    more = {"SubnetIds": [world.subnets[A]], **config}
    spec = world.cluster(config=world.config(**more))
    machines = world.again(spec)
    machines.fill(spec)
    (one,) = machines.offerings(spec.node_types["worker"])
    return one


def test_a_reservation_is_asked_for_as_the_file_names_it(world: World) -> None:
    config = world.config(
        InstanceType="p4d.24xlarge",
        CapacityReservationSpecification=RESERVATION,
        Placement={"GroupName": "close", "PartitionNumber": 2},
    )
    world.machines = world.again(world.cluster(config=config))
    (one,) = world.launch("request-1")
    (asked,) = world.ec2.launches
    stem = "CapacityReservationSpecification.CapacityReservationTarget."
    assert asked[f"{stem}CapacityReservationId"] == "cr-1"
    assert (asked["Placement.GroupName"], asked["Placement.PartitionNumber"]) == ("close", "2")
    assert one.market is Market.ON_DEMAND
    assert "InstanceMarketOptions.MarketType" not in asked


def test_a_capacity_block_is_no_spot_and_stays_what_it_is() -> None:
    def asked(options: dict[str, str], market: Market) -> Any:
        choice = Choice(Offering("p5.48xlarge", A, market))
        config = {"InstanceMarketOptions": options}
        words = run_arguments(config, choice, least=1, most=1, written={}, token="t")
        return words.get("InstanceMarketOptions")

    block, spot = {"MarketType": "capacity-block"}, {"MarketType": "spot"}
    assert asked(block, Market.ON_DEMAND) == block
    assert asked(spot, Market.SPOT) == spot
    assert asked(spot, Market.ON_DEMAND) is None


@pytest.mark.parametrize(
    ("config", "reservation"),
    [
        ({"CapacityReservationSpecification": RESERVATION}, "cr-1"),
        (
            {
                "CapacityReservationSpecification": {
                    "CapacityReservationTarget": {"CapacityReservationResourceGroupArn": "arn:g"}
                }
            },
            "arn:g",
        ),
        (
            {
                "CapacityReservationSpecification": {
                    "CapacityReservationPreference": "capacity-reservations-only"
                }
            },
            "any reservation",
        ),
        ({"CapacityReservationSpecification": {"CapacityReservationPreference": "open"}}, ""),
        ({"Placement": {"Tenancy": "host", "HostId": "h-1"}}, "h-1"),
        ({"Placement": {"Tenancy": "host"}}, "a dedicated host"),
        ({"Placement": {"Tenancy": "dedicated"}}, ""),
        ({}, ""),
    ],
)
def test_what_is_reserved_is_another_supply(
    world: World, config: dict[str, Any], reservation: str
) -> None:
    assert offering_of(world, **config).reservation == reservation


def test_a_full_reservation_says_nothing_about_the_market_nor_the_market_about_it() -> None:
    market = Offering("p4d.24xlarge", A)
    reserved = Offering("p4d.24xlarge", A, reservation="cr-1")
    for full, other in ((market, reserved), (reserved, market)):
        known = failures.remember((), "gpu", full, CapacityError("none"), 0.0, 10.0)
        now = Avoided(known, 11.0)
        assert now.offering("gpu", full)
        assert not now.offering("gpu", other)


def test_a_full_reservation_is_a_lack_of_capacity_and_the_loop_goes_on(world: World) -> None:
    looped = Looped(world, cpu=(priced(0.2, "m5.xlarge"),))
    looped.ec2.fail("RunInstances", "ReservationCapacityExceeded", times=1)
    looped.order(SetFloor("cpu", 1))
    looped.settle()
    assert looped.asked() == [f"1 m5.xlarge {A}", f"1 m5.xlarge {B}"]


def test_interfaces_with_efa_are_asked_for_in_the_subnet_that_is_tried(world: World) -> None:
    interfaces = [
        {"DeviceIndex": 0, "NetworkCardIndex": 0, "InterfaceType": "efa", "Groups": ["sg-1"]},
        {"DeviceIndex": 1, "NetworkCardIndex": 1, "InterfaceType": "efa-only", "Groups": ["sg-1"]},
    ]
    config = {
        "ImageId": IMAGE,
        "InstanceType": "p5.48xlarge",
        "NetworkInterfaces": interfaces,
        "SubnetIds": [world.subnets[A], world.subnets[B]],
    }
    world.machines = world.again(world.cluster(config=config))
    world.ec2.room[("p5.48xlarge", A)] = 0
    with pytest.raises(CapacityError):
        world.machines.launch(LaunchRequest("request-1", "worker", 1, Offering("p5.48xlarge", A)))
    (asked,) = world.ec2.launches
    for index, kind in ((1, "efa"), (2, "efa-only")):
        stem = f"NetworkInterface.{index}."
        assert asked[f"{stem}InterfaceType"] == kind
        assert asked[f"{stem}NetworkCardIndex"] == str(index - 1)
        assert asked[f"{stem}SubnetId"] == world.subnets[A]
    assert "SubnetId" not in asked
