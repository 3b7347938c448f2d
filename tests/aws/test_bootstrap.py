"""What a cluster needs beside its instances: looked up, told, made, and found the next time."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from raytui.backends.aws import tags
from raytui.backends.aws.bootstrap import Bootstrap, Part, State, look_up
from raytui.backends.aws.bootstrap.instance_profile import policy
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import AuthError, ConfigError, TransientError
from raytui.config.cluster import parse_cluster
from raytui.model.spec import ClusterSpec, Market
from tests.aws.emulated import REGION, Emulated
from tests.aws.world import IMAGE, World

MINIMAL = """
cluster_name: mine
provider:
  type: aws
  region: us-west-2
auth:
  ssh_user: ubuntu
available_node_types:
  ray.head.default:
    resources: {CPU: 2}
    node_config: {InstanceType: m5.large}
  ray.worker.default:
    resources: {CPU: 2}
    min_workers: 0
    max_workers: 2
    node_config:
      InstanceType: m5.large
      InstanceMarketOptions: {MarketType: spot}
head_node_type: ray.head.default
"""
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
DRIVERS = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
)
WITH_DRIVERS = "ami-9b32e8e2"
HERE = "192.0.2.7/32"


@pytest.fixture
def aws(ec2: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AwsSession:
    """A session in an account with Amazon's public parameters, for a person with a home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    ec2.parameters = {UBUNTU.format("amd64"): IMAGE, DRIVERS: WITH_DRIVERS}
    return AwsSession({"region": REGION}, attempts=2)


def spec(text: str = MINIMAL, **provider: Any) -> ClusterSpec:
    more = "".join(f"\n  {key}: {json.dumps(value)}" for key, value in provider.items())
    return parse_cluster(text.replace("region: us-west-2", f"region: us-west-2{more}"), "c.yaml")


def seen(aws: AwsSession, cluster: ClusterSpec) -> Bootstrap:
    return look_up(cluster, aws, lambda: HERE)


def states(found: Bootstrap) -> dict[str, State]:
    return {part.kind: part.state for part in found.parts}


def part(found: Bootstrap, kind: str) -> Part:
    return next(part for part in found.parts if part.kind == kind)


def configs(filled: ClusterSpec) -> list[dict[str, Any]]:
    return [node_type.node_config for node_type in filled.node_types.values()]


def test_looking_tells_in_rays_order_what_is_there_and_makes_nothing(
    ec2: Emulated, aws: AwsSession
) -> None:
    found = seen(aws, spec())
    assert states(found) == {
        "instance profile": State.TO_MAKE,
        "key pair": State.TO_MAKE,
        "subnets": State.FOUND,
        "security group": State.TO_MAKE,
        "image": State.FOUND,
    }
    assert [p.kind for p in found.parts] == list(states(found))
    words = ("Describe", "Get", "List")
    assert [action for action in ec2.calls if not action.startswith(words)] == []


def test_making_fills_in_all_that_instances_need(aws: AwsSession) -> None:
    told: list[str] = []
    filled = seen(aws, spec()).make(lambda part: told.append(part.kind))
    assert told == ["instance profile", "key pair", "security group"]
    head, worker = configs(filled)
    assert head["IamInstanceProfile"] == {"Name": "ray-autoscaler-v1"}
    assert "IamInstanceProfile" not in worker
    for config in (head, worker):
        assert config["KeyName"] == "ray-autoscaler_us-west-2"
        assert config["ImageId"] == IMAGE
        assert len(config["SubnetIds"]) == 4
        assert config["SecurityGroupIds"][0].startswith("sg-")
        assert config["MetadataOptions"]["HttpTokens"] == "required"
        (root,) = config["BlockDeviceMappings"]
        assert (root["DeviceName"], root["Ebs"]["Encrypted"]) == ("/dev/sda1", True)
    assert filled.auth.ssh_private_key == "~/.ssh/ray-autoscaler_us-west-2.pem"
    written = filled.written["available_node_types"]["ray.worker.default"]["node_config"]
    assert written == worker
    assert filled.written["auth"]["ssh_private_key"] == filled.auth.ssh_private_key


def test_the_next_time_everything_is_found_and_the_same(ec2: Emulated, aws: AwsSession) -> None:
    first = seen(aws, spec()).make()
    again = seen(aws, spec())
    assert State.TO_MAKE not in states(again).values()
    assert again.make() == first
    for action in ("CreateSecurityGroup", "CreateKeyPair", "CreateRole"):
        assert ec2.calls[action] == 1


def test_what_was_filled_in_is_given_from_then_on(aws: AwsSession) -> None:
    filled = seen(aws, spec()).make()
    found = seen(aws, filled)
    assert set(states(found).values()) == {State.GIVEN}
    assert found.make() == filled


def test_a_cluster_that_was_filled_in_can_be_launched(ec2: Emulated, aws: AwsSession) -> None:
    world = World(ec2, aws)
    machines = world.again(seen(aws, spec()).make())
    from raytui.backends.base import LaunchRequest

    (head,) = machines.launch(LaunchRequest("h", "ray.head.default", 1, is_head=True))
    (worker,) = machines.launch(LaunchRequest("w", "ray.worker.default", 1))
    assert (head.is_head, head.market, worker.market) == (True, Market.ON_DEMAND, Market.SPOT)
    at_ec2 = world.at_ec2()
    assert at_ec2[head.instance_id]["IamInstanceProfile"]
    assert at_ec2[worker.instance_id]["KeyName"] == "ray-autoscaler_us-west-2"
    assert ec2.launches[0]["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert ec2.launches[0]["MetadataOptions.HttpTokens"] == "required"


# The key pair.


def test_the_private_half_is_kept_for_its_owner_only(aws: AwsSession, tmp_path: Path) -> None:
    seen(aws, spec()).make()
    file = tmp_path / ".ssh" / "ray-autoscaler_us-west-2.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PRIVATE KEY" in file.read_text()


def test_a_key_whose_private_half_is_elsewhere_is_passed_over(aws: AwsSession) -> None:
    aws.call("ec2", "create_key_pair", KeyName="ray-autoscaler_us-west-2")
    assert part(seen(aws, spec()), "key pair").name == "ray-autoscaler_1_us-west-2"


def test_a_named_key_with_one_half_missing_is_refused(aws: AwsSession, tmp_path: Path) -> None:
    aws.call("ec2", "create_key_pair", KeyName="team")
    with pytest.raises(ConfigError, match=r"key pair team: EC2 has it and .*team\.pem is not here"):
        seen(aws, spec(key_pair={"key_name": "team"}))


def test_a_key_that_could_not_be_made_leaves_no_file(
    ec2: Emulated, aws: AwsSession, tmp_path: Path
) -> None:
    ec2.fail("CreateKeyPair", "UnauthorizedOperation", status=403)
    with pytest.raises(AuthError):
        seen(aws, spec()).make()
    assert list((tmp_path / ".ssh").iterdir()) == []


def test_a_given_key_needs_its_name_at_ec2(aws: AwsSession) -> None:
    text = MINIMAL.replace("ssh_user: ubuntu", "ssh_user: ubuntu\n  ssh_private_key: ~/mine.pem")
    with pytest.raises(ConfigError, match=r"KeyName in the node_config of ray\.head\.default"):
        seen(aws, spec(text))
    named = text.replace("InstanceType: m5.large", "InstanceType: m5.large, KeyName: mine", 1)
    named = named.replace(
        "      InstanceType: m5.large", "      InstanceType: m5.large\n      KeyName: mine"
    )
    assert part(seen(aws, spec(named)), "key pair").state is State.GIVEN


# The instance profile.


def test_the_heads_role_may_change_only_what_belongs_to_a_ray_cluster(aws: AwsSession) -> None:
    seen(aws, spec()).make()
    answer = aws.call("iam", "get_instance_profile", InstanceProfileName="ray-autoscaler-v1")
    (role,) = answer["InstanceProfile"]["Roles"]
    kept = aws.call("iam", "get_role_policy", RoleName=role["RoleName"], PolicyName="raytui")
    assert kept["PolicyDocument"] == policy(role["Arn"])
    attached = aws.call("iam", "list_attached_role_policies", RoleName=role["RoleName"])
    assert attached["AttachedPolicies"] == []
    for statement in policy(role["Arn"])["Statement"]:
        actions = " ".join(statement["Action"])
        looks = all(
            a.split(":")[1].startswith(("Describe", "Get", "List")) for a in statement["Action"]
        )
        if "Terminate" in actions:
            assert statement["Condition"] == {"Null": {"aws:ResourceTag/ray-cluster-name": "false"}}
        if "PassRole" in actions:
            assert statement["Resource"] == role["Arn"]
        assert looks or "Condition" in statement or "NotResource" in statement
        assert "*" not in statement["Action"]


def test_a_profile_that_was_left_half_made_is_completed(aws: AwsSession) -> None:
    aws.call("iam", "create_instance_profile", InstanceProfileName="ray-autoscaler-v1")
    seen(aws, spec()).make()
    assert part(seen(aws, spec()), "instance profile").state is State.FOUND


def test_a_launch_waits_for_a_profile_that_ec2_has_not_heard_of_yet(
    ec2: Emulated, aws: AwsSession
) -> None:
    words = "Value (x) for parameter iamInstanceProfile.name is invalid."
    ec2.fail("RunInstances", "InvalidParameterValue", message=words, times=1)
    assert len(World(ec2, aws).launch("request-1")) == 1


def test_who_may_not_ask_iam_hears_so(ec2: Emulated, aws: AwsSession) -> None:
    ec2.fail("GetInstanceProfile", "AccessDenied", status=403)
    with pytest.raises(AuthError, match="AccessDenied"):
        seen(aws, spec())


# Subnets.


def test_zones_are_taken_in_the_order_of_the_file(aws: AwsSession) -> None:
    found = seen(aws, spec(availability_zone="us-west-2b,us-west-2a"))
    name = part(found, "subnets").name
    assert name.index("us-west-2b") < name.index("us-west-2a")
    assert "us-west-2c" not in name


def test_private_subnets_are_of_use_only_inside(aws: AwsSession) -> None:
    vpc = aws.call("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = aws.call(
        "ec2", "create_subnet", VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2c"
    )
    group = aws.call("ec2", "create_security_group", GroupName="g", Description="g", VpcId=vpc)
    text = MINIMAL.replace(
        "InstanceType: m5.large",
        f"SecurityGroupIds: [{group['GroupId']}], InstanceType: m5.large",
        1,
    )
    with pytest.raises(ConfigError, match=f"{vpc} has no usable subnet"):
        seen(aws, spec(text))
    inside = seen(aws, spec(text, use_internal_ips=True))
    assert part(inside, "subnets").name == f"{made['Subnet']['SubnetId']} (us-west-2c)"


def test_no_subnet_in_the_wanted_zone_says_what_would_help(aws: AwsSession) -> None:
    with pytest.raises(ConfigError, match="no available subnet in us-west-2z that gives public"):
        seen(aws, spec(availability_zone="us-west-2z"))


def test_a_subnet_that_is_not_there_is_named(aws: AwsSession) -> None:
    text = MINIMAL.replace(
        "{InstanceType: m5.large}", "{InstanceType: m5.large, SubnetIds: [subnet-1]}"
    )
    with pytest.raises(ConfigError, match="no such subnet in us-west-2: subnet-1"):
        seen(aws, spec(text))


# The security group.


def rules(aws: AwsSession) -> list[dict[str, Any]]:
    found = aws.call("ec2", "describe_security_groups", GroupNames=["ray-autoscaler-mine"])
    (group,) = found["SecurityGroups"]
    assert tags.read(group["Tags"]).items() >= {"ray-cluster-name": "mine"}.items()
    return list(group["IpPermissions"])


def test_ssh_is_let_in_from_the_caller_only_and_all_from_each_other(aws: AwsSession) -> None:
    seen(aws, spec()).make()
    among, ssh = sorted(rules(aws), key=lambda rule: rule["IpProtocol"])
    assert (among["IpProtocol"], len(among["UserIdGroupPairs"])) == ("-1", 1)
    assert (among["IpRanges"], ssh["FromPort"], ssh["ToPort"]) == ([], 22, 22)
    assert [one["CidrIp"] for one in ssh["IpRanges"]] == [HERE]


def test_who_comes_from_elsewhere_later_is_let_in_too(aws: AwsSession) -> None:
    seen(aws, spec()).make()
    later = look_up(spec(), aws, lambda: "198.51.100.9/32")
    assert "SSH from 198.51.100.9/32, added to sg-" in part(later, "security group").detail
    later.make()
    (ssh,) = [rule for rule in rules(aws) if rule["IpProtocol"] == "tcp"]
    assert {one["CidrIp"] for one in ssh["IpRanges"]} == {HERE, "198.51.100.9/32"}


def test_the_files_own_rule_for_ssh_goes_instead(aws: AwsSession) -> None:
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
    }

    def not_asked() -> str:
        raise TransientError("nobody tells")

    look_up(spec(security_group={"IpPermissions": [rule]}), aws, not_asked).make()
    (ssh,) = [rule for rule in rules(aws) if rule["IpProtocol"] == "tcp"]
    assert [one["CidrIp"] for one in ssh["IpRanges"]] == ["10.0.0.0/8"]


def test_a_group_of_somebody_else_stays_as_it_is(ec2: Emulated, aws: AwsSession) -> None:
    group = aws.call("ec2", "create_security_group", GroupName="ours", Description="d")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 9, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    aws.call("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=[rule])
    found = seen(aws, spec(security_group={"GroupName": "ours"}))
    assert part(found, "security group").state is State.FOUND
    calls = ec2.calls["AuthorizeSecurityGroupIngress"]
    assert configs(found.make())[1]["SecurityGroupIds"] == [group]
    assert ec2.calls["AuthorizeSecurityGroupIngress"] == calls


def test_a_making_that_was_cut_off_is_gone_on_with(ec2: Emulated, aws: AwsSession) -> None:
    ec2.fail("AuthorizeSecurityGroupIngress", "InternalError", status=500)
    with pytest.raises(TransientError):
        seen(aws, spec()).make()
    ec2.faults.clear()
    seen(aws, spec()).make()
    assert len(rules(aws)) == 2
    assert (ec2.calls["CreateSecurityGroup"], ec2.calls["CreateKeyPair"]) == (1, 1)


# Images, templates, interfaces.


def test_gpu_types_get_the_image_with_drivers(aws: AwsSession) -> None:
    text = MINIMAL.replace("      InstanceType: m5.large", "      InstanceType: g4dn.xlarge")
    head, worker = configs(seen(aws, spec(text)).make())
    assert (head["ImageId"], worker["ImageId"]) == (IMAGE, WITH_DRIVERS)


def test_an_image_of_another_region_is_refused_before_anything_is_made(
    ec2: Emulated, aws: AwsSession
) -> None:
    text = MINIMAL.replace("m5.large}", "m5.large, ImageId: ami-0123456789abcdef0}")
    with pytest.raises(ConfigError, match=r"ami-0123456789abcdef0.* in us-west-2"):
        seen(aws, spec(text))
    assert not ec2.calls["CreateSecurityGroup"]


def test_types_of_two_architectures_need_images_of_their_own(aws: AwsSession) -> None:
    text = MINIMAL.replace("{InstanceType: m5.large}", "{InstanceType: [m5.large, m6g.large]}")
    with pytest.raises(ConfigError, match="no one image fits"):
        seen(aws, spec(text))


def test_a_region_without_the_parameter_asks_for_an_image(ec2: Emulated, aws: AwsSession) -> None:
    ec2.parameters.clear()
    with pytest.raises(ConfigError, match="us-west-2 has no /aws/service/canonical"):
        seen(aws, spec())


def test_what_the_file_says_of_metadata_and_volumes_stays(aws: AwsSession) -> None:
    text = MINIMAL.replace(
        "{InstanceType: m5.large}",
        "{InstanceType: m5.large, MetadataOptions: {HttpTokens: optional}, BlockDeviceMappings: "
        "[{DeviceName: /dev/sda1, Ebs: {VolumeSize: 256, Encrypted: false}}]}",
    )
    head, _ = configs(seen(aws, spec(text)).make())
    assert head["MetadataOptions"]["HttpTokens"] == "optional"
    assert head["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": False, "VolumeSize": 256}}
    ]


def test_a_launch_template_counts_where_the_file_is_silent(aws: AwsSession) -> None:
    data = {
        "InstanceType": "m5.xlarge",
        "ImageId": IMAGE,
        "InstanceMarketOptions": {"MarketType": "spot"},
        "UserData": "ZWNobw==",
    }
    aws.call("ec2", "create_launch_template", LaunchTemplateName="ours", LaunchTemplateData=data)
    text = MINIMAL.replace(
        "{InstanceType: m5.large}",
        "{LaunchTemplate: {LaunchTemplateName: ours}, ImageId: ami-1e749f67}",
    )
    filled = seen(aws, spec(text)).make()
    config = filled.head.node_config
    assert (config["InstanceType"], config["ImageId"]) == ("m5.xlarge", "ami-1e749f67")
    assert config["LaunchTemplate"] == {"LaunchTemplateName": "ours", "Version": "1"}
    assert "UserData" not in config
    assert {offering.market for offering in filled.head.offerings} == {Market.SPOT}


def test_a_launch_template_that_is_not_there_is_refused(aws: AwsSession) -> None:
    text = MINIMAL.replace(
        "{InstanceType: m5.large}", "{LaunchTemplate: {LaunchTemplateName: none}}"
    )
    with pytest.raises(ConfigError, match="LaunchTemplate"):
        seen(aws, spec(text))


def test_network_interfaces_get_group_and_subnet(ec2: Emulated, aws: AwsSession) -> None:
    interfaces = "{InstanceType: m5.large, NetworkInterfaces: [{AssociatePublicIpAddress: true}]}"
    filled = seen(aws, spec(MINIMAL.replace("{InstanceType: m5.large}", interfaces))).make()
    (interface,) = filled.head.node_config["NetworkInterfaces"]
    assert interface["Groups"] == configs(filled)[1]["SecurityGroupIds"]
    assert "SecurityGroupIds" not in filled.head.node_config
    from raytui.backends.base import LaunchRequest

    world = World(ec2, aws)
    world.again(filled).launch(LaunchRequest("h", filled.head_node_type, 1, is_head=True))
    asked = ec2.launches[-1]
    assert asked["NetworkInterface.1.SubnetId"].startswith("subnet-")
    assert "SubnetId" not in asked


def test_interfaces_and_the_file_cannot_both_say_it(aws: AwsSession) -> None:
    both = (
        "{InstanceType: m5.large, SubnetIds: [subnet-1], NetworkInterfaces: [{SubnetId: subnet-2}]}"
    )
    with pytest.raises(ConfigError, match="NetworkInterfaces say it already, so SubnetIds cannot"):
        seen(aws, spec(MINIMAL.replace("{InstanceType: m5.large}", both)))
