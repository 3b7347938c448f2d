"""What a cluster needs beside its instances: looked up, told, made, and found the next time."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from raytui.backends.aws.bootstrap import State
from raytui.backends.aws.bootstrap.instance_profile import policy
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import AuthError, ConfigError, LaunchRequest
from raytui.model.spec import Market
from tests.aws.bootstrapping import MINIMAL, configs, part, seen, spec, states
from tests.aws.emulated import Emulated
from tests.aws.world import IMAGE, World


def test_looking_tells_in_rays_order_what_is_there_and_makes_nothing(
    ec2: Emulated, account: AwsSession
) -> None:
    found = seen(account, spec())
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


def test_making_fills_in_all_that_instances_need(account: AwsSession) -> None:
    told: list[str] = []
    filled = seen(account, spec()).make(lambda part: told.append(part.kind))
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


def test_the_next_time_everything_is_found_and_the_same(ec2: Emulated, account: AwsSession) -> None:
    first = seen(account, spec()).make()
    again = seen(account, spec())
    assert State.TO_MAKE not in states(again).values()
    assert again.make() == first
    for action in ("CreateSecurityGroup", "CreateKeyPair", "CreateRole"):
        assert ec2.calls[action] == 1


def test_what_was_filled_in_is_given_from_then_on(account: AwsSession) -> None:
    filled = seen(account, spec()).make()
    found = seen(account, filled)
    assert set(states(found).values()) == {State.GIVEN}
    assert found.make() == filled


def test_a_cluster_that_was_filled_in_can_be_launched(ec2: Emulated, account: AwsSession) -> None:
    world = World(ec2, account)
    machines = world.again(seen(account, spec()).make())
    (head,) = machines.launch(LaunchRequest("h", "ray.head.default", 1, is_head=True))
    (worker,) = machines.launch(LaunchRequest("w", "ray.worker.default", 1))
    assert (head.is_head, head.market, worker.market) == (True, Market.ON_DEMAND, Market.SPOT)
    at_ec2 = world.at_ec2()
    assert at_ec2[head.instance_id]["IamInstanceProfile"]
    assert at_ec2[worker.instance_id]["KeyName"] == "ray-autoscaler_us-west-2"
    assert ec2.launches[0]["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert ec2.launches[0]["MetadataOptions.HttpTokens"] == "required"


# The key pair.


def test_the_private_half_is_kept_for_its_owner_only(account: AwsSession, tmp_path: Path) -> None:
    seen(account, spec()).make()
    file = tmp_path / ".ssh" / "ray-autoscaler_us-west-2.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "PRIVATE KEY" in file.read_text()


def test_a_key_whose_private_half_is_elsewhere_is_passed_over(account: AwsSession) -> None:
    account.call("ec2", "create_key_pair", KeyName="ray-autoscaler_us-west-2")
    assert part(seen(account, spec()), "key pair").name == "ray-autoscaler_1_us-west-2"


def test_a_named_key_with_one_half_missing_is_refused(account: AwsSession, tmp_path: Path) -> None:
    account.call("ec2", "create_key_pair", KeyName="team")
    with pytest.raises(ConfigError, match=r"key pair team: EC2 has it and .*team\.pem is not here"):
        seen(account, spec(key_pair={"key_name": "team"}))


def test_a_key_that_could_not_be_made_leaves_no_file(
    ec2: Emulated, account: AwsSession, tmp_path: Path
) -> None:
    ec2.fail("CreateKeyPair", "UnauthorizedOperation", status=403)
    with pytest.raises(AuthError):
        seen(account, spec()).make()
    assert list((tmp_path / ".ssh").iterdir()) == []


def test_a_given_key_needs_its_name_at_ec2(account: AwsSession) -> None:
    text = MINIMAL.replace("ssh_user: ubuntu", "ssh_user: ubuntu\n  ssh_private_key: ~/mine.pem")
    with pytest.raises(ConfigError, match=r"KeyName in the node_config of ray\.head\.default"):
        seen(account, spec(text))
    named = text.replace("InstanceType: m5.large", "InstanceType: m5.large, KeyName: mine", 1)
    named = named.replace(
        "      InstanceType: m5.large", "      InstanceType: m5.large\n      KeyName: mine"
    )
    assert part(seen(account, spec(named)), "key pair").state is State.GIVEN


# The instance profile.


def test_the_heads_role_may_change_only_what_belongs_to_a_ray_cluster(account: AwsSession) -> None:
    seen(account, spec()).make()
    answer = account.call("iam", "get_instance_profile", InstanceProfileName="ray-autoscaler-v1")
    (role,) = answer["InstanceProfile"]["Roles"]
    kept = account.call("iam", "get_role_policy", RoleName=role["RoleName"], PolicyName="raytui")
    assert kept["PolicyDocument"] == policy(role["Arn"])
    attached = account.call("iam", "list_attached_role_policies", RoleName=role["RoleName"])
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


def test_a_profile_that_was_left_half_made_is_completed(account: AwsSession) -> None:
    account.call("iam", "create_instance_profile", InstanceProfileName="ray-autoscaler-v1")
    seen(account, spec()).make()
    assert part(seen(account, spec()), "instance profile").state is State.FOUND


def test_a_role_that_was_left_without_its_policy_gets_it(
    ec2: Emulated, account: AwsSession
) -> None:
    ec2.fail("PutRolePolicy", "AccessDenied", status=403, times=1)
    with pytest.raises(AuthError):
        seen(account, spec()).make()
    seen(account, spec()).make()
    role = account.call("iam", "get_role", RoleName="ray-autoscaler-v1")["Role"]
    kept = account.call("iam", "get_role_policy", RoleName=role["RoleName"], PolicyName="raytui")
    assert kept["PolicyDocument"] == policy(role["Arn"])


def test_a_launch_waits_for_a_profile_that_ec2_has_not_heard_of_yet(
    ec2: Emulated, account: AwsSession
) -> None:
    words = "Value (x) for parameter iamInstanceProfile.name is invalid."
    ec2.fail("RunInstances", "InvalidParameterValue", message=words, times=1)
    assert len(World(ec2, account).launch("request-1")) == 1


def test_who_may_not_ask_iam_hears_so(ec2: Emulated, account: AwsSession) -> None:
    ec2.fail("GetInstanceProfile", "AccessDenied", status=403)
    with pytest.raises(AuthError, match="AccessDenied"):
        seen(account, spec())
