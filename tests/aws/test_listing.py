"""Listing instances: what EC2 tells, what it does not tell yet, and why an instance is gone."""

from __future__ import annotations

import pytest

from raytui.backends.base import TransientError
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import Offering
from tests.aws.world import SPOT, World, ids, priced


def test_a_listing_has_all_of_this_cluster_and_nobody_elses(world: World) -> None:
    launched = world.launch("request-1", 3)
    other = world.aws.call("ec2", "run_instances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    listed = world.machines.list_instances()
    assert ids(listed) == ids(launched)
    assert other["Instances"][0]["InstanceId"] not in ids(listed)
    assert {i.request_id for i in listed} == {"request-1"}
    assert {i.status for i in listed} == {InstanceStatus.ALLOCATED}


def test_a_listing_is_one_call_however_many_instances_there_are(world: World) -> None:
    world.launch("request-1", 40)
    world.launch("request-2", 40)
    world.machines.list_instances()
    before = world.aws.calls()
    assert len(world.machines.list_instances()) == 80
    after = world.aws.calls()
    assert {k: n - before[k] for k, n in after.items() if n != before[k]} == {
        "ec2.DescribeInstances": 1
    }


def test_more_instances_than_one_page_has_are_all_listed(world: World) -> None:
    for request in range(12):
        world.launch(f"request-{request}")
    whole = world.machines.list_instances()
    found = world.aws.pages(
        "ec2", "describe_instances", "Reservations", PaginationConfig={"PageSize": 5}
    )
    assert len(list(found)) == len(whole) == 12


def test_what_was_given_is_listed_though_ec2_does_not_tell_of_it_yet(world: World) -> None:
    world.ec2.lag_behind = True
    launched = world.launch("request-1", 2)
    assert world.machines.list_instances() == launched
    assert ids(world.again().list_instances()) == ids(launched)


def test_what_ec2_still_does_not_tell_of_after_a_minute_is_gone(world: World) -> None:
    world.ec2.lag_behind = True
    world.launch("request-1", 2)
    world.now += 61
    assert world.machines.list_instances() == []


def test_an_instance_is_listed_once_when_ec2_tells_of_it_early(world: World) -> None:
    launched = world.launch("request-1", 2)
    assert ids(world.machines.list_instances()) == ids(launched)


def test_a_listing_that_fails_is_an_error_and_no_empty_list(world: World) -> None:
    world.launch("request-1")
    world.ec2.fail("DescribeInstances", "InternalError", status=500)
    with pytest.raises(TransientError):
        world.machines.list_instances()


def test_prices_are_those_of_the_file(world: World) -> None:
    world.machines = world.again(world.cluster(priced(0.1), priced(0.03, market=SPOT)))
    world.launch("request-1", instance_type="m5.large", zone="us-west-2b", market=SPOT)
    (one,) = world.again().list_instances()
    assert one.price_per_hour == 0.03


def test_an_unknown_price_is_unknown(world: World) -> None:
    world.launch("request-1")
    assert [i.price_per_hour for i in world.machines.list_instances()] == [None]


def test_who_ended_an_instance_at_amazon_is_not_asked_why(world: World) -> None:
    (one, two) = world.launch("request-1", 2)
    world.aws.call("ec2", "terminate_instances", InstanceIds=[one.instance_id])
    assert ids(world.machines.list_instances()) == [two.instance_id]


def test_an_instance_that_amazon_took_back_is_lost_with_amazons_words_until_cleared(
    world: World,
) -> None:
    world.machines = world.again(world.cluster(Offering("m5.large", market=SPOT)))
    (one,) = world.launch("request-1")
    world.machines.list_instances()
    world.ec2.take_back(one.instance_id, "Server.SpotInstanceTermination", "Spot capacity ended")
    (lost,) = world.machines.list_instances()
    assert (lost.status, lost.detail) == (InstanceStatus.LOST, "Spot capacity ended")
    world.machines.terminate([one.instance_id])
    assert world.machines.list_instances() == []


def test_what_was_lost_long_ago_is_not_news_to_a_new_process(world: World) -> None:
    (one,) = world.launch("request-1")
    world.ec2.take_back(one.instance_id, "Server.InternalError", "hardware")
    world.now += 120
    assert world.again().list_instances() == []


def test_the_address_is_the_private_one_on_the_head_and_the_public_one_elsewhere(
    world: World,
) -> None:
    world.launch("request-1")
    (at_ec2,) = world.at_ec2().values()
    (from_here,) = world.machines.list_instances()
    inside = world.again(world.cluster(use_internal_ips=True))
    (from_inside,) = inside.list_instances()
    assert from_here.ip == at_ec2["PublicIpAddress"]
    assert from_inside.ip == at_ec2["PrivateIpAddress"]
