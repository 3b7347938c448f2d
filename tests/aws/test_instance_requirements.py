"""Node types that say what their instances must have: in the file or in a launch template."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from raytui.backends.aws import catalog
from raytui.backends.aws.bootstrap.instance_requirements import MOST
from raytui.backends.aws.resources import fill
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import CapacityError, ConfigError, LaunchRequest
from raytui.model.spec import ClusterSpec, Market, Offering
from tests.aws.bootstrapping import MINIMAL, UBUNTU, configs, part, seen, spec
from tests.aws.emulated import Emulated
from tests.aws.world import IMAGE, World

SMALL = {"VCpuCount": {"Min": 4, "Max": 8}, "MemoryMiB": {"Min": 16_384, "Max": 32_768}}
A10G = {
    "VCpuCount": {"Min": 4},
    "MemoryMiB": {"Min": 16_384},
    "AcceleratorCount": {"Min": 1, "Max": 1},
    "AcceleratorNames": ["a10g"],
}
WORKER_TYPE = "InstanceType: m5.large\n      InstanceMarketOptions: {MarketType: spot}"


def with_worker(config: dict[str, Any]) -> ClusterSpec:
    assert WORKER_TYPE in MINIMAL
    return spec(MINIMAL.replace(f"\n      {WORKER_TYPE}", f" {json.dumps(config)}"))


def types_for(account: AwsSession, **wanted: Any) -> list[str]:
    filled = seen(account, with_worker({"InstanceRequirements": {**SMALL, **wanted}})).make()
    kinds: list[str] = configs(filled)[1]["InstanceType"]
    return kinds


def test_types_that_fulfil_them_are_found_the_cheapest_first(account: AwsSession) -> None:
    found = seen(account, with_worker({"InstanceRequirements": SMALL}))
    kinds = configs(found.make())[1]["InstanceType"]
    known = catalog.load()
    prices = [known[kind].price_per_hour for kind in kinds]
    assert len(kinds) == MOST
    assert None not in prices
    assert prices == sorted(prices)
    for kind in kinds:
        assert 4 <= known[kind].vcpus <= 8
        assert known[kind].architecture == "x86_64"
    told = part(found, "instance types")
    assert (told.name, told.detail.split(",")[0]) == ("ray.worker.default", kinds[0])


def test_they_are_asked_for_once_and_given_from_then_on(ec2: Emulated, account: AwsSession) -> None:
    filled = seen(account, with_worker({"InstanceRequirements": SMALL})).make()
    asked = "GetInstanceTypesFromInstanceRequirements"
    assert ec2.calls[asked] == 1
    assert "InstanceRequirements" not in configs(filled)[1]
    assert seen(account, filled).make() == filled
    assert ec2.calls[asked] == 1


def test_each_type_is_a_way_to_buy_and_the_next_is_tried_where_one_has_no_room(
    ec2: Emulated, account: AwsSession
) -> None:
    world = World(ec2, account)
    filled = seen(account, with_worker({"InstanceRequirements": A10G})).make()
    machines = world.again(filled)
    first, second, *_ = configs(filled)[1]["InstanceType"]
    ec2.room = {(first, zone): 0 for zone in world.subnets}
    (one,) = machines.launch(LaunchRequest("request-1", "ray.worker.default", 1))
    assert one.instance_type == second
    assert all("InstanceRequirements" not in key for asked in ec2.launches for key in asked)
    with pytest.raises(CapacityError):
        machines.launch(LaunchRequest("request-2", "ray.worker.default", 1, Offering(first)))


def test_ray_is_told_of_what_all_the_types_have(account: AwsSession) -> None:
    text = MINIMAL.replace("    resources: {CPU: 2}\n    min_workers", "    min_workers")
    config = json.dumps({"InstanceRequirements": A10G})
    filled = seen(account, spec(text.replace(f"\n      {WORKER_TYPE}", f" {config}"))).make()
    worker = fill(filled, catalog.load()).node_types["ray.worker.default"]
    amounts = worker.resources.amounts()
    assert (amounts["GPU"], amounts["accelerator_type:A10G"]) == (1, 1)
    assert amounts["CPU"] == 4


def test_their_market_stays_the_files(account: AwsSession) -> None:
    config = {"InstanceRequirements": SMALL, "InstanceMarketOptions": {"MarketType": "spot"}}
    worker = seen(account, with_worker(config)).make().node_types["ray.worker.default"]
    assert {offering.market for offering in worker.offerings} == {Market.SPOT}


def test_where_only_graviton_is_asked_for_the_types_are_arm(
    ec2: Emulated, account: AwsSession
) -> None:
    known = catalog.load()
    ec2.parameters[UBUNTU.format("arm64")] = IMAGE
    arm = types_for(account, CpuManufacturers=["amazon-web-services"])
    assert {known[kind].architecture for kind in arm} == {"arm64"}


def test_what_no_type_has_is_told_with_the_region(account: AwsSession) -> None:
    wanted = {"VCpuCount": {"Min": 9_000}, "MemoryMiB": {"Min": 1}}
    with pytest.raises(ConfigError, match=r"ray\.worker\.default: no instance type in us-west-2"):
        seen(account, with_worker({"InstanceRequirements": wanted}))


def test_a_type_and_requirements_contradict_each_other(account: AwsSession) -> None:
    with pytest.raises(ConfigError, match="both InstanceType and InstanceRequirements; leave one"):
        seen(account, with_worker({"InstanceRequirements": SMALL, "InstanceType": "m5.large"}))


def templated(account: AwsSession, own: dict[str, Any], **data: Any) -> dict[str, Any]:
    """A worker's node_config, filled in, that names a template with such data."""
    account.call(
        "ec2", "create_launch_template", LaunchTemplateName="ours", LaunchTemplateData=data
    )
    config = {"LaunchTemplate": {"LaunchTemplateName": "ours"}, **own}
    return configs(seen(account, with_worker(config)).make())[1]


def test_a_template_with_requirements_is_said_in_full_since_runinstances_refuses_it(
    account: AwsSession,
) -> None:
    config = templated(
        account,
        {"KeyName": "mine"},
        ImageId=IMAGE,
        InstanceRequirements=SMALL,
        UserData="IyEvYmluL3NoCg==",
        KeyName="theirs",
        EbsOptimized=True,
    )
    assert "LaunchTemplate" not in config
    assert "InstanceRequirements" not in config
    assert len(config["InstanceType"]) == MOST
    assert config["UserData"] == "#!/bin/sh\n"
    assert (config["KeyName"], config["EbsOptimized"]) == ("mine", True)


def test_the_files_own_type_counts_instead_of_a_templates_requirements(
    account: AwsSession,
) -> None:
    config = templated(
        account, {"InstanceType": "m5.large"}, ImageId=IMAGE, InstanceRequirements=SMALL
    )
    assert config["InstanceType"] == "m5.large"
    assert "InstanceRequirements" not in config


def test_all_or_nothing_is_of_one_type(ec2: Emulated, account: AwsSession) -> None:
    world = World(ec2, account)
    filled = seen(account, with_worker({"InstanceRequirements": A10G})).make()
    machines = world.again(filled)
    first, second, *_ = configs(filled)[1]["InstanceType"]
    ec2.room = {(first, zone): 1 for zone in world.subnets}
    asked = LaunchRequest("request-1", "ray.worker.default", 3)
    launched = machines.launch(replace(asked, all_or_nothing=True))
    assert {one.instance_type for one in launched} == {second}
