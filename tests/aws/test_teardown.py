"""Removing what `up` made beside instances: what it marked, once nothing uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from raytui.backends.aws import teardown
from raytui.backends.aws.bootstrap.instance_profile import NAME
from raytui.backends.aws.session import AwsSession
from raytui.backends.aws.teardown import made_parts
from raytui.backends.base import AuthError, LaunchRequest, TransientError
from raytui.backends.cloud import MadePart
from raytui.launcher import down
from raytui.launcher.options import DownOptions
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec
from raytui.model.step import LaunchError, Step, StepStatus
from tests.aws.bootstrapping import MINIMAL, seen, spec
from tests.aws.emulated import REGION, Emulated
from tests.aws.world import IMAGE, World, ids
from tests.support.waiting import eventually

KEY = f"ray-autoscaler_{REGION}"


@pytest.fixture
def made(account: AwsSession) -> ClusterSpec:
    """The cluster `mine` with all that it needs made for it."""
    return seen(account, spec()).make()


@pytest.fixture
def running(ec2: Emulated, account: AwsSession, made: ClusterSpec) -> Iterator[World]:
    """The same with its head and a worker."""
    world = World(ec2, account)
    world.machines = world.again(made)
    for kind, name in (("ray.head.default", "h"), ("ray.worker.default", "w")):
        world.machines.launch(LaunchRequest(name, kind, 1, is_head=name == "h"))
    yield world


def parts(aws: AwsSession, cluster: str = "mine", within_s: float = 0.0) -> dict[str, MadePart]:
    return {part.kind: part for part in made_parts(cluster, aws, lets_go_within_s=within_s)}


def removed(aws: AwsSession, cluster: str = "mine") -> dict[str, str]:
    """Why each kind of part was kept."""
    return {part.kind: part.remove() for part in made_parts(cluster, aws, lets_go_within_s=0.0)}


def end(world: World) -> None:
    """End all of the cluster, and keep nothing for later."""
    names = ids(world.machines.list_instances())
    world.aws.call("ec2", "terminate_instances", InstanceIds=names)


def test_all_that_was_made_is_removed_and_the_next_up_makes_it_anew(
    made: ClusterSpec, account: AwsSession, tmp_path: Path
) -> None:
    assert removed(account) == {
        "security group": "",
        "key pair": "",
        "instance profile": "",
        "role": "",
    }
    assert list((tmp_path / ".ssh").iterdir()) == []
    assert parts(account) == {}
    assert seen(account, spec()).make().auth == made.auth


def test_what_running_instances_use_is_kept_with_the_reason(
    running: World, account: AwsSession, tmp_path: Path
) -> None:
    kept = removed(account)
    assert kept == {
        "security group": "used by 2 instances of cluster mine",
        "key pair": "used by 2 instances of cluster mine",
        "instance profile": "used by 1 instance of cluster mine",
        "role": f"in instance profile {NAME}",
    }
    assert (tmp_path / ".ssh" / f"{KEY}.pem").exists()


def test_it_all_goes_once_the_instances_are_terminated(running: World, account: AwsSession) -> None:
    end(running)
    running.ec2.let_go()
    assert set(removed(account).values()) == {""}


def test_stopped_instances_go_first_since_they_are_of_no_use_without_the_rest(
    running: World, account: AwsSession
) -> None:
    running.machines.terminate(ids(running.machines.list_instances()))
    stopped = running.at_ec2("stopped")
    assert stopped
    part = next(iter(made_parts("mine", account)))
    assert part.kind == "stopped instances"
    assert part.name == ", ".join(stopped)
    assert part.remove() == ""
    assert running.at_ec2() == {}
    running.ec2.let_go()
    assert set(removed(account).values()) == {""}


def test_stopped_instances_of_another_cluster_need_what_they_were_made_with(
    running: World, account: AwsSession
) -> None:
    running.machines.terminate(ids(running.machines.list_instances()))
    stopped = running.at_ec2("stopped")
    assert "used by 1 instance of cluster mine (1 stopped)" in removed(account, "theirs").values()
    assert running.at_ec2("stopped") == stopped


def test_what_clusters_share_stays_for_another_cluster(running: World, account: AwsSession) -> None:
    end(running)
    running.ec2.let_go()
    other = running.again(seen(account, spec(MINIMAL.replace("mine", "theirs"))).make())
    other.launch(LaunchRequest("theirs", "ray.head.default", 1, is_head=True))
    kept = removed(account)
    assert kept["security group"] == ""
    assert kept["key pair"] == "used by 1 instance of cluster theirs"
    assert kept["instance profile"] == "used by 1 instance of cluster theirs"


def test_a_profile_is_kept_for_an_instance_in_another_region(
    made: ClusterSpec, account: AwsSession
) -> None:
    elsewhere = account.in_region("eu-west-1")
    image = elsewhere.call("ec2", "describe_images", Owners=["amazon"])["Images"][0]["ImageId"]
    elsewhere.call(
        "ec2",
        "run_instances",
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Name": NAME},
    )
    assert removed(account)["instance profile"] == "used by 1 instance of no cluster"


def test_what_ray_has_made_is_never_removed(account: AwsSession, tmp_path: Path) -> None:
    vpc = next(account.pages("ec2", "describe_vpcs", "Vpcs"))["VpcId"]
    account.call(
        "ec2",
        "create_security_group",
        GroupName="ray-autoscaler-mine",
        Description="Ray's",
        VpcId=vpc,
    )
    account.call("ec2", "create_key_pair", KeyName=KEY)
    file = tmp_path / ".ssh" / f"{KEY}.pem"
    file.parent.mkdir()
    file.write_text("Ray's")
    account.call("iam", "create_instance_profile", InstanceProfileName=NAME)
    account.call("iam", "create_role", RoleName=NAME, AssumeRolePolicyDocument="{}")
    kinds = ("security group", "key pair", "instance profile", "role")
    assert removed(account) == dict.fromkeys(kinds, "raytui has not made it")
    assert file.read_text() == "Ray's"
    assert set(parts(account)) == set(kinds)


def test_another_clusters_group_and_other_keys_are_not_even_named(
    made: ClusterSpec, account: AwsSession
) -> None:
    account.call("ec2", "create_key_pair", KeyName="team")
    seen(account, spec(MINIMAL.replace("mine", "theirs"))).make()
    found = made_parts("mine", account)
    assert [part.name.split()[0] for part in found] == ["ray-autoscaler-mine", KEY, NAME, NAME]


# Security groups.


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_a_group_that_anothers_rules_name_is_kept(
    way: str, made: ClusterSpec, account: AwsSession
) -> None:
    groups = account.pages("ec2", "describe_security_groups", "SecurityGroups")
    of_name = {one["GroupName"]: one["GroupId"] for one in groups}
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 2049,
        "ToPort": 2049,
        "UserIdGroupPairs": [{"GroupId": of_name["ray-autoscaler-mine"]}],
    }
    account.call(
        "ec2",
        f"authorize_security_group_{way}",
        GroupId=of_name["default"],
        IpPermissions=[rule],
    )
    kept = parts(account)["security group"].remove()
    assert kept == f"named in the rules of {of_name['default']}"


def test_a_group_waits_until_ended_instances_have_let_go_of_it(
    running: World, account: AwsSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "_LOOK_EVERY_S", 0.01)
    end(running)
    part = parts(account, within_s=30.0)["security group"]
    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(part.remove)
        eventually(lambda: running.ec2.calls["DescribeNetworkInterfaces"] > 1)
        running.ec2.let_go()
        assert removing.result(30) == ""


def test_a_group_whose_interface_stays_is_kept_when_the_time_is_over(
    made: ClusterSpec, account: AwsSession
) -> None:
    interface = new_interface(account)
    assert removed(account)["security group"] == f"used by {interface} of a file system"
    account.call("ec2", "delete_network_interface", NetworkInterfaceId=interface)
    assert removed(account)["security group"] == ""


def test_a_group_that_ec2_holds_on_to_is_kept_in_its_words(
    ec2: Emulated, made: ClusterSpec, account: AwsSession
) -> None:
    ec2.fail("DeleteSecurityGroup", "DependencyViolation", message="has a dependent object")
    assert "has a dependent object" in removed(account)["security group"]


def new_interface(aws: AwsSession) -> str:
    """One with the cluster's group, of nobody's instance."""
    (group,) = (
        one["GroupId"]
        for one in aws.pages("ec2", "describe_security_groups", "SecurityGroups")
        if one["GroupName"] == "ray-autoscaler-mine"
    )
    subnet = next(aws.pages("ec2", "describe_subnets", "Subnets"))["SubnetId"]
    made: dict[str, Any] = aws.call(
        "ec2",
        "create_network_interface",
        SubnetId=subnet,
        Groups=[group],
        Description="a file system",
    )
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


# The key pair.


def test_a_key_whose_private_half_is_elsewhere_is_kept_for_who_has_it(
    made: ClusterSpec, account: AwsSession, tmp_path: Path
) -> None:
    (tmp_path / ".ssh" / f"{KEY}.pem").unlink()
    assert "its private half is on the machine that made it" in removed(account)["key pair"]
    assert [k["KeyName"] for k in account.call("ec2", "describe_key_pairs")["KeyPairs"]] == [KEY]


def test_a_removal_without_an_answer_is_finished_by_the_next(
    ec2: Emulated, made: ClusterSpec, account: AwsSession, tmp_path: Path
) -> None:
    ec2.lose_reply("DeleteKeyPair", times=2)
    with pytest.raises(TransientError):
        parts(account)["key pair"].remove()
    assert not account.call("ec2", "describe_key_pairs")["KeyPairs"]
    assert removed(account)["key pair"] == ""
    assert list((tmp_path / ".ssh").iterdir()) == []


def test_a_key_that_may_not_be_removed_stays_whole(
    ec2: Emulated, made: ClusterSpec, account: AwsSession, tmp_path: Path
) -> None:
    ec2.fail("DeleteKeyPair", "UnauthorizedOperation", status=403)
    with pytest.raises(AuthError):
        parts(account)["key pair"].remove()
    assert "PRIVATE KEY" in (tmp_path / ".ssh" / f"{KEY}.pem").read_text()


def test_a_half_that_another_region_has_left_is_that_regions(
    ec2: Emulated, made: ClusterSpec, account: AwsSession, tmp_path: Path
) -> None:
    left = tmp_path / ".ssh" / "ray-autoscaler_eu-west-1.pem.removed-from-eu-west-1"
    left.write_text("")
    removed(account)
    assert left.exists()


# The role.


def test_a_role_that_was_given_more_is_kept_and_its_profile_made_anew(
    made: ClusterSpec, account: AwsSession
) -> None:
    account.call(
        "iam",
        "put_role_policy",
        RoleName=NAME,
        PolicyName="buckets",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
            }
        ),
    )
    kept = removed(account)
    assert kept["instance profile"] == ""
    assert "more policies: buckets" in kept["role"]
    seen(account, spec()).make()
    assert list(parts(account)) == ["security group", "key pair", "instance profile", "role"]


def test_a_profile_removed_by_half_is_finished_by_the_next(
    ec2: Emulated, made: ClusterSpec, account: AwsSession
) -> None:
    ec2.fail("DeleteInstanceProfile", "ServiceUnavailable", status=503, times=2)
    with pytest.raises(TransientError):
        parts(account)["instance profile"].remove()
    assert set(removed(account).values()) == {""}
    assert parts(account) == {}


# `raytui down --shared-parts`.


def take_down(cluster: ClusterSpec) -> dict[str, tuple[StepStatus, str]]:
    """How each step ended."""
    seen: dict[str, tuple[StepStatus, str]] = {}

    def note(step: Step) -> None:
        seen[step.name] = (step.status, step.detail)

    down(cluster, note, DownOptions(shared_parts=True, settle_s=0.0))
    return seen


def test_down_removes_them_on_request_and_tells_each(
    made: ClusterSpec, account: AwsSession
) -> None:
    steps = take_down(made)
    removed = {name for name, how in steps.items() if how == (StepStatus.DONE, "")}
    assert {f"remove the key pair {KEY}", f"remove the role {NAME}"} <= removed
    assert parts(account) == {}
    assert take_down(made)["look up what was made"] == (StepStatus.DONE, "nothing is left")


def test_down_tells_why_one_stays_and_does_not_fail(made: ClusterSpec, account: AwsSession) -> None:
    account.call("ec2", "run_instances", ImageId=IMAGE, KeyName=KEY, MinCount=1, MaxCount=1)
    how = take_down(made)[f"remove the key pair {KEY}"]
    assert how == (StepStatus.SKIPPED, "it stays: used by 1 instance of no cluster")


def test_down_removes_what_it_can_and_names_what_it_could_not(
    ec2: Emulated, made: ClusterSpec, account: AwsSession
) -> None:
    ec2.fail("DeleteKeyPair", "UnauthorizedOperation", message="not you", status=403)
    with pytest.raises(LaunchError, match=f"not removed was key pair {KEY}: .*not you"):
        take_down(made)
    assert list(parts(account)) == ["key pair"]
    ec2.faults.clear()
    assert take_down(made)[f"remove the key pair {KEY}"][0] is StepStatus.DONE


def test_where_up_makes_nothing_beside_machines_down_says_so_before_it_does_anything() -> None:
    local = ClusterSpec("here", ProviderSpec("local"), {"head": NodeType("head")}, "head")
    with pytest.raises(LaunchError, match="not down: with provider local there is nothing"):
        take_down(local)
