"""The head's instance profile: by its role the head may launch and end workers, and little more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from raytui.backends.aws import tags
from raytui.backends.aws.bootstrap.parts import Draft, Part, State
from raytui.backends.aws.errors import code_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ConfigError

NAME = "ray-autoscaler-v1"
"""Of profile and role; Ray's own name."""
POLICY = "raytui"
_NONE = "NoSuchEntity"

_EC2 = ("ec2.amazonaws.com", "ec2.amazonaws.com.cn")
"""The service's name, everywhere else and in China."""
_INSTANCES = "arn:*:ec2:*:*:instance/*"
_LOOKS = [
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeVolumes",
    "pricing:GetProducts",
    "servicequotas:ListServiceQuotas",
]
_CHANGES = [
    "ec2:CreateTags",
    "ec2:StartInstances",
    "ec2:StopInstances",
    "ec2:TerminateInstances",
]
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def policy(role_arn: str) -> dict[str, Any]:
    """What a head may do: look around, launch what carries a cluster's tag, and change only that.

    It may hand its own role to what it launches, and no other.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allowed("Look", _LOOKS, Resource="*"),
            _allowed(
                "LaunchTagged",
                ["ec2:RunInstances"],
                Resource=_INSTANCES,
                Condition={"Null": {f"aws:RequestTag/{tags.CLUSTER}": "false"}},
            ),
            _allowed("LaunchFrom", ["ec2:RunInstances"], NotResource=_INSTANCES),
            _allowed(
                "TagAtLaunch",
                ["ec2:CreateTags"],
                Resource="*",
                Condition={"StringEquals": {"ec2:CreateAction": "RunInstances"}},
            ),
            _allowed(
                "ChangeTagged",
                _CHANGES,
                Resource=_INSTANCES,
                Condition={"Null": {f"aws:ResourceTag/{tags.CLUSTER}": "false"}},
            ),
            _allowed(
                "HandOnItsRole",
                ["iam:PassRole"],
                Resource=role_arn,
                Condition={"StringEquals": {"iam:PassedToService": list(_EC2)}},
            ),
            _allowed(
                "FirstSpotOfTheAccount",
                ["iam:CreateServiceLinkedRole"],
                Resource="arn:*:iam::*:role/aws-service-role/spot.amazonaws.com/*",
                Condition={"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}},
            ),
        ],
    }


def instance_profile(draft: Draft, aws: AwsSession) -> Iterator[Part]:
    """Find the head's profile. It is only the head's: workers have none unless the file says so."""
    given = draft.head.get("IamInstanceProfile")
    if given:
        name = str(given.get("Name") or given.get("Arn"))
        yield Part("instance profile", name, State.GIVEN)
        return
    draft.head["IamInstanceProfile"] = {"Name": NAME}
    roles = _roles_of_profile(aws)
    if roles:
        yield Part("instance profile", NAME, State.FOUND, f"role {roles[0]}")
        return
    what = "with a role that may launch and end instances of Ray clusters"
    yield Part("instance profile", NAME, State.TO_MAKE, what, lambda: _make(aws, roles is None))


def _allowed(name: str, actions: list[str], **on: Any) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": actions, **on}


def _roles_of_profile(aws: AwsSession) -> list[str] | None:
    """Names of its roles; None without a profile."""
    try:
        answer = aws.call("iam", "get_instance_profile", InstanceProfileName=NAME)
    except ConfigError as error:
        if code_of(error) == _NONE:
            return None
        raise
    return [str(role["RoleName"]) for role in answer["InstanceProfile"]["Roles"]]


def _make(aws: AwsSession, profile_too: bool) -> None:
    """EC2 hears of a new profile some seconds later; a launch until then is tried again."""
    made_by = tags.written({tags.MADE_FOR: "all"})
    if profile_too:
        aws.call("iam", "create_instance_profile", InstanceProfileName=NAME, Tags=made_by)
    try:
        role = aws.call("iam", "get_role", RoleName=NAME)["Role"]
    except ConfigError as error:
        if code_of(error) != _NONE:
            raise
        role = aws.call(
            "iam",
            "create_role",
            RoleName=NAME,
            AssumeRolePolicyDocument=json.dumps(_TRUST),
            Description="Heads of Ray clusters: launching and ending their workers",
            Tags=made_by,
        )["Role"]
    if tags.MADE_FOR in tags.read(role.get("Tags")):  # also one that an earlier call left bare
        document = json.dumps(policy(role["Arn"]))
        aws.call(
            "iam", "put_role_policy", RoleName=NAME, PolicyName=POLICY, PolicyDocument=document
        )
    aws.call("iam", "add_role_to_instance_profile", InstanceProfileName=NAME, RoleName=NAME)
