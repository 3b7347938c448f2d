"""Subnets, groups, images, templates and interfaces: what is chosen, made, and left alone."""

from __future__ import annotations

from typing import Any

import pytest

from raytui.backends.aws import tags
from raytui.backends.aws.bootstrap import State, look_up
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError, LaunchRequest, TransientError
from raytui.model.spec import Market, Offering
from tests.aws.bootstrapping import HERE, MINIMAL, WITH_DRIVERS, configs, part, seen, spec
from tests.aws.emulated import Emulated
from tests.aws.world import IMAGE, World

# Subnets.


def test_zones_are_taken_in_the_order_of_the_file(account: AwsSession) -> None:
    found = seen(account, spec(availability_zone="us-west-2b,us-west-2a"))
    name = part(found, "subnets").name
    assert name.index("us-west-2b") < name.index("us-west-2a")
    assert "us-west-2c" not in name


def test_private_subnets_are_of_use_only_inside(account: AwsSession) -> None:
    vpc = account.call("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = account.call(
        "ec2", "create_subnet", VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2c"
    )
    group = account.call("ec2", "create_security_group", GroupName="g", Description="g", VpcId=vpc)
    text = MINIMAL.replace(
        "InstanceType: m5.large",
        f"SecurityGroupIds: [{group['GroupId']}], InstanceType: m5.large",
        1,
    )
    with pytest.raises(ConfigError, match=f"{vpc} has no usable subnet"):
        seen(account, spec(text))
    inside = seen(account, spec(text, use_internal_ips=True))
    assert part(inside, "subnets").name == f"{made['Subnet']['SubnetId']} (us-west-2c)"


def test_no_subnet_in_the_wanted_zone_says_what_would_help(account: AwsSession) -> None:
    with pytest.raises(ConfigError, match="no available subnet in us-west-2z that gives public"):
        seen(account, spec(availability_zone="us-west-2z"))


def test_a_subnet_that_is_not_there_is_named(account: AwsSession) -> None:
    text = MINIMAL.replace(
        "{InstanceType: m5.large}", "{InstanceType: m5.large, SubnetIds: [subnet-1]}"
    )
    with pytest.raises(ConfigError, match="no such subnet in us-west-2: subnet-1"):
        seen(account, spec(text))


# The security group.


def rules(account: AwsSession) -> list[dict[str, Any]]:
    found = account.call("ec2", "describe_security_groups", GroupNames=["ray-autoscaler-mine"])
    (group,) = found["SecurityGroups"]
    assert tags.read(group["Tags"]).items() >= {"ray-cluster-name": "mine"}.items()
    return list(group["IpPermissions"])


def test_ssh_is_let_in_from_the_caller_only_and_all_from_each_other(account: AwsSession) -> None:
    seen(account, spec()).make()
    among, ssh = sorted(rules(account), key=lambda rule: rule["IpProtocol"])
    assert (among["IpProtocol"], len(among["UserIdGroupPairs"])) == ("-1", 1)
    assert (among["IpRanges"], ssh["FromPort"], ssh["ToPort"]) == ([], 22, 22)
    assert [one["CidrIp"] for one in ssh["IpRanges"]] == [HERE]


def test_who_comes_from_elsewhere_later_is_let_in_too(account: AwsSession) -> None:
    seen(account, spec()).make()
    later = look_up(spec(), account, lambda: "198.51.100.9/32")
    assert "SSH from 198.51.100.9/32, added to sg-" in part(later, "security group").detail
    later.make()
    (ssh,) = [rule for rule in rules(account) if rule["IpProtocol"] == "tcp"]
    assert {one["CidrIp"] for one in ssh["IpRanges"]} == {HERE, "198.51.100.9/32"}


def test_the_files_own_rule_for_ssh_goes_instead(account: AwsSession) -> None:
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
    }

    def not_asked() -> str:
        raise TransientError("nobody tells")

    look_up(spec(security_group={"IpPermissions": [rule]}), account, not_asked).make()
    (ssh,) = [rule for rule in rules(account) if rule["IpProtocol"] == "tcp"]
    assert [one["CidrIp"] for one in ssh["IpRanges"]] == ["10.0.0.0/8"]


def test_a_group_of_somebody_else_stays_as_it_is(ec2: Emulated, account: AwsSession) -> None:
    group = account.call("ec2", "create_security_group", GroupName="ours", Description="d")[
        "GroupId"
    ]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    account.call("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=[rule])
    found = seen(account, spec(security_group={"GroupName": "ours"}))
    assert part(found, "security group").state is State.FOUND
    calls = ec2.calls["AuthorizeSecurityGroupIngress"]
    assert configs(found.make())[1]["SecurityGroupIds"] == [group]
    assert ec2.calls["AuthorizeSecurityGroupIngress"] == calls


def test_a_making_that_was_cut_off_is_gone_on_with(ec2: Emulated, account: AwsSession) -> None:
    ec2.fail("AuthorizeSecurityGroupIngress", "InternalError", status=500)
    with pytest.raises(TransientError):
        seen(account, spec()).make()
    ec2.faults.clear()
    seen(account, spec()).make()
    assert len(rules(account)) == 2
    assert (ec2.calls["CreateSecurityGroup"], ec2.calls["CreateKeyPair"]) == (1, 1)


# Images, templates, interfaces.


def test_gpu_types_get_the_image_with_drivers(account: AwsSession) -> None:
    text = MINIMAL.replace("      InstanceType: m5.large", "      InstanceType: g4dn.xlarge")
    head, worker = configs(seen(account, spec(text)).make())
    assert (head["ImageId"], worker["ImageId"]) == (IMAGE, WITH_DRIVERS)


def test_an_image_of_another_region_is_refused_before_anything_is_made(
    ec2: Emulated, account: AwsSession
) -> None:
    text = MINIMAL.replace("m5.large}", "m5.large, ImageId: ami-0123456789abcdef0}")
    with pytest.raises(ConfigError, match=r"ami-0123456789abcdef0.* in us-west-2"):
        seen(account, spec(text))
    assert not ec2.calls["CreateSecurityGroup"]


def test_a_parameter_of_the_file_is_resolved_here_so_that_the_head_need_not_read_any(
    ec2: Emulated, account: AwsSession
) -> None:
    ec2.parameters["/team/image"] = IMAGE
    given = MINIMAL.replace(
        "InstanceType: m5.large", "InstanceType: m5.large, ImageId: 'resolve:ssm:/team/image'", 1
    )
    found = seen(account, spec(given))
    head = found.filled().head.node_config
    assert head["ImageId"] == IMAGE
    assert head["BlockDeviceMappings"][0]["Ebs"]["Encrypted"]
    told = [one.detail for one in found.parts if one.kind == "image"]
    assert any("(/team/image)" in detail for detail in told)


def test_types_of_two_architectures_need_images_of_their_own(account: AwsSession) -> None:
    text = MINIMAL.replace("{InstanceType: m5.large}", "{InstanceType: [m5.large, m6g.large]}")
    with pytest.raises(ConfigError, match="no one image fits"):
        seen(account, spec(text))


def test_a_region_without_the_parameter_asks_for_an_image(
    ec2: Emulated, account: AwsSession
) -> None:
    ec2.parameters.clear()
    with pytest.raises(ConfigError, match="us-west-2 has no /aws/service/canonical"):
        seen(account, spec())


def test_what_the_file_says_of_metadata_and_volumes_stays(account: AwsSession) -> None:
    text = MINIMAL.replace(
        "{InstanceType: m5.large}",
        "{InstanceType: m5.large, MetadataOptions: {HttpTokens: optional}, BlockDeviceMappings: "
        "[{DeviceName: /dev/sda1, Ebs: {VolumeSize: 256, Encrypted: false}}]}",
    )
    head, _ = configs(seen(account, spec(text)).make())
    assert head["MetadataOptions"]["HttpTokens"] == "optional"
    said = {"Encrypted": False, "VolumeSize": 256}
    assert head["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/sda1", "Ebs": {**said, "DeleteOnTermination": True}}
    ]


def test_a_launch_template_counts_where_the_file_is_silent(account: AwsSession) -> None:
    data = {
        "InstanceType": "m5.xlarge",
        "ImageId": IMAGE,
        "InstanceMarketOptions": {"MarketType": "spot"},
        "UserData": "ZWNobw==",
    }
    account.call(
        "ec2", "create_launch_template", LaunchTemplateName="ours", LaunchTemplateData=data
    )
    text = MINIMAL.replace(
        "{InstanceType: m5.large}",
        "{LaunchTemplate: {LaunchTemplateName: ours}, ImageId: ami-1e749f67}",
    )
    filled = seen(account, spec(text)).make()
    config = filled.head.node_config
    assert (config["InstanceType"], config["ImageId"]) == ("m5.xlarge", "ami-1e749f67")
    assert config["LaunchTemplate"] == {"LaunchTemplateName": "ours", "Version": "1"}
    assert "UserData" not in config
    assert {offering.market for offering in filled.head.offerings} == {Market.SPOT}


def test_a_template_for_spot_is_said_in_full_where_on_demand_is_to_be_fallen_back_on(
    ec2: Emulated, account: AwsSession
) -> None:
    data = {"InstanceMarketOptions": {"MarketType": "spot"}, "KeyName": "ours"}
    account.call(
        "ec2", "create_launch_template", LaunchTemplateName="ours", LaunchTemplateData=data
    )
    text = MINIMAL.replace(
        "      InstanceMarketOptions: {MarketType: spot}",
        "      LaunchTemplate: {LaunchTemplateName: ours}",
    )
    text += """
metadata:
  raytui:
    node_types:
      ray.worker.default: {offerings: [{market: spot}, {market: on-demand}]}
"""
    filled = seen(account, spec(text)).make()
    worker = filled.node_types["ray.worker.default"]
    assert "LaunchTemplate" not in worker.node_config
    assert worker.node_config["KeyName"] == "ours"
    assert [o.market for o in worker.offerings] == [Market.SPOT, Market.ON_DEMAND]
    machines = World(ec2, account).again(filled)
    for market in Market:
        asked = Offering("m5.large", "us-west-2a", market)
        (one,) = machines.launch(LaunchRequest(market.value, "ray.worker.default", 1, asked))
        assert one.market is market


def test_a_launch_template_that_is_not_there_is_refused(account: AwsSession) -> None:
    text = MINIMAL.replace(
        "{InstanceType: m5.large}", "{LaunchTemplate: {LaunchTemplateName: none}}"
    )
    with pytest.raises(ConfigError, match="LaunchTemplate"):
        seen(account, spec(text))


def test_network_interfaces_get_group_and_subnet(ec2: Emulated, account: AwsSession) -> None:
    interfaces = "{InstanceType: m5.large, NetworkInterfaces: [{AssociatePublicIpAddress: true}]}"
    filled = seen(account, spec(MINIMAL.replace("{InstanceType: m5.large}", interfaces))).make()
    (interface,) = filled.head.node_config["NetworkInterfaces"]
    assert interface["Groups"] == configs(filled)[1]["SecurityGroupIds"]
    assert "SecurityGroupIds" not in filled.head.node_config
    world = World(ec2, account)
    world.again(filled).launch(LaunchRequest("h", filled.head_node_type, 1, is_head=True))
    asked = ec2.launches[-1]
    assert asked["NetworkInterface.1.SubnetId"].startswith("subnet-")
    assert "SubnetId" not in asked


def test_interfaces_and_the_file_cannot_both_say_it(account: AwsSession) -> None:
    both = (
        "{InstanceType: m5.large, SubnetIds: [subnet-1], NetworkInterfaces: [{SubnetId: subnet-2}]}"
    )
    with pytest.raises(ConfigError, match="NetworkInterfaces say it already, so SubnetIds cannot"):
        seen(account, spec(MINIMAL.replace("{InstanceType: m5.large}", both)))
