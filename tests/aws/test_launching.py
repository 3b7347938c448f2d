"""Launching on EC2: no more instances than were asked for, whatever fails on the way."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from raytui.backends.aws import tags
from raytui.backends.base import (
    CapacityError,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    ProviderError,
    QuotaError,
    ThrottledError,
    TransientError,
)
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import Market, Offering
from tests.aws.world import A, B, World, ids, priced


def test_a_launch_gives_allocated_instances_with_rays_tags_and_the_request(world: World) -> None:
    one, two = world.launch("request-1", 2)
    assert (one.status, one.node_type, one.zone) == (InstanceStatus.ALLOCATED, "worker", A)
    assert (one.instance_type, one.request_id, one.is_head) == ("m5.large", "request-1", False)
    written = tags.read(world.at_ec2()[two.instance_id]["Tags"])
    assert (
        written.items()
        >= {
            "Name": "ray-mine-worker",
            "ray-cluster-name": "mine",
            "ray-node-type": "worker",
            "ray-user-node-type": "worker",
            "ray-node-status": "uninitialized",
            "ray-launch-request": "request-1",
        }.items()
    )
    assert written["ray-launch-config"]


def test_a_launch_is_one_call_with_the_request_id_as_token(world: World) -> None:
    world.launch("request-1", 50)
    (asked,) = world.ec2.launches
    assert (asked["ClientToken"], asked["MinCount"], asked["MaxCount"]) == ("request-1", "1", "50")


def test_a_repeated_request_gives_the_same_instances_also_to_another_process(world: World) -> None:
    first = world.launch("request-1", 3)
    assert ids(world.launch("request-1", 3)) == ids(first)
    assert ids(world.again().launch(world.request("request-1", 3))) == ids(first)
    assert len(world.at_ec2()) == 3


def test_a_reply_lost_within_the_call_makes_nothing_twice(world: World) -> None:
    world.ec2.lose_reply("RunInstances")
    assert len(world.launch("request-1", 3)) == 3
    assert len(world.at_ec2()) == 3
    assert world.ec2.calls["RunInstances"] == 2


@pytest.mark.parametrize("visible", [True, False])
def test_a_reply_lost_for_good_is_open_and_the_repeat_finds_what_was_made(
    world: World, visible: bool
) -> None:
    world.ec2.lag_behind = not visible
    world.ec2.lose_reply("RunInstances", times=2)
    with pytest.raises(TransientError):
        world.launch("request-1", 3)
    again = world.again().launch(world.request("request-1", 3))
    assert len(again) == 3
    world.ec2.catch_up()
    assert ids(again) == sorted(world.at_ec2())


def test_a_lost_reply_is_asked_again_where_it_was_lost_though_other_zones_have_room(
    world: World,
) -> None:
    world.ec2.lag_behind = True
    world.ec2.room[("m5.large", A)] = 0
    world.ec2.lose_reply("RunInstances", 2, when=lambda f: f["SubnetId"] == world.subnets[B])
    with pytest.raises(TransientError):
        world.launch("request-1", 2)
    world.ec2.room[("m5.large", A)] = 10  # the first zone has room again
    again = world.again().launch(world.request("request-1", 2))
    assert {instance.zone for instance in again} == {B}
    world.ec2.catch_up()
    assert len(world.at_ec2()) == 2


def test_a_repeat_after_the_cluster_file_changed_finds_what_the_old_words_made(
    world: World,
) -> None:
    world.ec2.lose_reply("RunInstances", times=2)
    with pytest.raises(TransientError):
        world.launch("request-1", 2)
    changed = world.cluster(config=world.config(EbsOptimized=True))
    assert len(world.again(changed).launch(world.request("request-1", 2))) == 2
    assert len(world.at_ec2()) == 2


def test_what_the_old_words_made_is_waited_for_while_ec2_does_not_list_it(world: World) -> None:
    world.ec2.lag_behind = True
    world.ec2.lose_reply("RunInstances", times=2)
    with pytest.raises(TransientError):
        world.launch("request-1", 2)
    changed = world.again(world.cluster(config=world.config(EbsOptimized=True)))
    with pytest.raises(TransientError, match="does not list yet"):
        changed.launch(world.request("request-1", 2))
    world.ec2.catch_up()
    assert len(changed.launch(world.request("request-1", 2))) == 2
    assert len(world.at_ec2()) == 2


def test_without_room_in_one_zone_the_next_is_tried(world: World) -> None:
    world.ec2.room[("m5.large", A)] = 0
    assert [instance.zone for instance in world.launch("request-1")] == [B]


def test_zones_share_a_request_when_each_has_room_for_a_part(world: World) -> None:
    world.ec2.room[("m5.large", A)] = 2
    launched = world.launch("request-1", 5)
    assert sorted(instance.zone for instance in launched) == [A, A, B, B, B]
    assert len({asked["ClientToken"] for asked in world.ec2.launches}) == 2


def test_a_list_of_instance_types_is_tried_the_cheapest_first(world: World) -> None:
    offered = (priced(0.2, "m5.xlarge"), priced(0.1, "m6i.large"), priced(0.15, "m5.large"))
    world.machines = world.again(world.cluster(*offered))
    world.ec2.room = {("m6i.large", A): 0, ("m6i.large", B): 0}
    (one,) = world.launch("request-1")
    assert (one.instance_type, one.zone, one.price_per_hour) == ("m5.large", A, 0.15)


def test_instance_types_may_be_a_list_in_node_config(world: World) -> None:
    types = ["m5.large", "m6i.large"]
    world.machines = world.again(world.cluster(config=world.config(InstanceType=types)))
    world.machines.fill(world.spec)
    offered = world.machines.offerings(world.spec.node_types["worker"])
    assert [o.text() for o in offered] == [f"{t} {z}" for t in types for z in (A, B)]


def test_a_request_for_one_zone_is_refused_with_zone_market_and_amazons_words(world: World) -> None:
    world.ec2.room[("m5.large", A)] = 0
    with pytest.raises(CapacityError) as refused:
        world.launch("request-1", instance_type="m5.large", zone=A)
    assert refused.value.zone == A
    assert refused.value.market is Market.ON_DEMAND
    assert "InsufficientInstanceCapacity: We currently do not have" in str(refused.value)
    assert not world.at_ec2()


def test_a_partly_fulfilled_request_tells_both_what_came_and_what_did_not(world: World) -> None:
    world.ec2.room[("m5.large", A)] = 2
    with pytest.raises(PartialLaunchError) as partly:
        world.launch("request-1", 5, instance_type="m5.large", zone=A)
    assert ids(partly.value.launched) == sorted(world.at_ec2())
    assert isinstance(partly.value.cause, CapacityError)
    assert partly.value.zone == A


def test_all_or_nothing_takes_no_part_and_goes_where_all_fit(world: World) -> None:
    world.ec2.room[("m5.large", A)] = 3
    together = world.machines.launch(whole(world, "request-1", 5))
    assert [instance.zone for instance in together] == [B] * 5
    assert {asked["MinCount"] for asked in world.ec2.launches} == {"5"}


def test_all_or_nothing_may_come_to_nothing(world: World) -> None:
    world.ec2.room = {("m5.large", A): 3, ("m5.large", B): 4}
    with pytest.raises(CapacityError):
        world.machines.launch(whole(world, "request-1", 5))
    assert not world.at_ec2()


def test_spot_is_bought_as_spot(world: World) -> None:
    offered = (Offering("m5.large", market=Market.SPOT),)
    world.machines = world.again(world.cluster(*offered))
    (one,) = world.launch("request-1")
    assert one.market is Market.SPOT
    assert world.ec2.launches[0]["InstanceMarketOptions.MarketType"] == "spot"


def test_on_demand_is_not_bought_as_spot_though_node_config_says_spot(world: World) -> None:
    config = world.config(InstanceMarketOptions={"MarketType": "spot"})
    both = (Offering("m5.large", market=Market.SPOT), Offering("m5.large"))
    world.machines = world.again(world.cluster(*both, config=config))
    (one,) = world.launch("request-1", instance_type="m5.large", zone=B)
    assert one.market is Market.ON_DEMAND


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InsufficientInstanceCapacity", CapacityError),
        ("InstanceLimitExceeded", QuotaError),
        ("VcpuLimitExceeded", QuotaError),
        ("MaxSpotInstanceCountExceeded", QuotaError),
        ("InvalidParameterValue", ConfigError),
        ("InvalidAMIID.NotFound", ConfigError),
        ("RequestLimitExceeded", ThrottledError),
        ("InternalError", TransientError),
    ],
)
def test_each_refusal_is_typed_with_its_zone_and_market(
    world: World, code: str, kind: type[ProviderError]
) -> None:
    world.machines = world.again(world.cluster(Offering("m5.large", B, Market.SPOT)))
    world.ec2.fail("RunInstances", code, status=503 if kind is TransientError else 400)
    with pytest.raises(kind, match=f"{code}: as the test says") as refused:
        world.launch("request-1", instance_type="m5.large", zone=B, market=Market.SPOT)
    assert (refused.value.zone, refused.value.market) == (B, Market.SPOT)


def test_what_can_never_work_is_not_tried_elsewhere(world: World) -> None:
    world.ec2.fail("RunInstances", "InvalidAMIID.NotFound")
    with pytest.raises(ConfigError):
        world.launch("request-1")
    assert world.ec2.calls["RunInstances"] == 1


def test_a_quota_is_used_up_by_halves_where_it_has_room_for_a_part(world: World) -> None:
    world.ec2.vcpus["m5"] = 11
    with pytest.raises(PartialLaunchError) as partly:
        world.launch("request-1", 40, instance_type="m5.large", zone=A)
    assert ids(partly.value.launched) == sorted(world.at_ec2())
    assert len(partly.value.launched) == 5
    assert isinstance(partly.value.cause, QuotaError)
    assert world.ec2.calls["RunInstances"] <= 8


def test_all_or_nothing_is_not_halved(world: World) -> None:
    world.ec2.vcpus["m5"] = 11
    with pytest.raises(QuotaError, match="VcpuLimitExceeded: You asked for 80 vCPUs"):
        world.machines.launch(whole(world, "request-1", 40))
    assert world.ec2.calls["RunInstances"] == 1  # it holds in the next zone, too
    assert not world.at_ec2()


def test_throttling_is_waited_out_within_the_call(world: World) -> None:
    world.ec2.fail("RunInstances", "RequestLimitExceeded", status=503, times=1)
    assert len(world.launch("request-1", 2)) == 2


def test_another_subnet_of_the_same_zone_is_tried_only_when_addresses_ran_out(world: World) -> None:
    more = world.aws.call(
        "ec2", "create_subnet", VpcId=_vpc(world), CidrBlock="172.31.240.0/24", AvailabilityZone=A
    )
    config = world.config(SubnetIds=[world.subnets[A], more["Subnet"]["SubnetId"]])
    world.machines = world.again(world.cluster(config=config))
    world.ec2.fail("RunInstances", "InsufficientFreeAddressesInSubnet", times=1)
    assert [i.zone for i in world.launch("request-1")] == [A]
    world.ec2.room[("m5.large", A)] = 0
    calls = world.ec2.calls["RunInstances"]
    with pytest.raises(CapacityError):
        world.launch("request-2")
    assert world.ec2.calls["RunInstances"] == calls + 1


def test_a_request_for_what_the_file_does_not_allow_says_what_it_allows(world: World) -> None:
    with pytest.raises(ConfigError, match=f"as m5.large us-west-2z; the file allows m5.large {A}"):
        world.launch("request-1", instance_type="m5.large", zone="us-west-2z")


def test_a_scale_up_costs_calls_for_each_request_and_not_for_each_instance(world: World) -> None:
    world.machines.list_instances()
    world.ec2.calls.clear()
    for number in range(4):
        world.launch(f"request-{number}", 50)
    world.machines.list_instances()
    assert world.ec2.calls == {
        "DescribeSubnets": 1,
        "DescribeInstances": 4 + 1,  # for stopped ones to use again; the listing
        "RunInstances": 4,
    }


def test_long_request_ids_give_tokens_that_ec2_takes(world: World) -> None:
    world.launch("x" * 100)
    assert len(world.ec2.launches[0]["ClientToken"]) <= 64


def whole(world: World, name: str, count: int) -> LaunchRequest:
    return replace(world.request(name, count), all_or_nothing=True)


def _vpc(world: World) -> str:
    found = world.aws.call("ec2", "describe_subnets", SubnetIds=[world.subnets[A]])
    return str(found["Subnets"][0]["VpcId"])
