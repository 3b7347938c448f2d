"""Cluster files as people have them for Ray: all load, and of no key is anything lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raytui.backends.aws.bootstrap import look_up
from raytui.backends.aws.choices import choices, run_arguments
from raytui.backends.aws.run_words import in_ec2s_words
from raytui.backends.aws.session import AwsSession
from raytui.config.cluster import parse_cluster
from raytui.model.spec import ClusterSpec
from raytui.provisioning.registry import unheeded
from tests.aws.bootstrapping import HERE
from tests.aws.world import IMAGE, A, B

FILES = sorted(Path(__file__).with_name("files").glob("*.yaml"))
OURS = {"SubnetIds", "SubnetId", "InstanceType", "InstanceRequirements", "LaunchTemplate"}
"""What is filled in anew for each launch."""


@pytest.fixture
def words(account: AwsSession) -> dict[str, str]:
    """What stands for ids in the files, in an account that has such things."""
    subnets = {
        one["AvailabilityZone"]: one for one in account.pages("ec2", "describe_subnets", "Subnets")
    }
    group = account.call(
        "ec2", "create_security_group", GroupName="ours", Description="-", VpcId=subnets[A]["VpcId"]
    )
    key = account.call("ec2", "create_key_pair", KeyName="team")
    pem = Path("~/.ssh/team.pem").expanduser()
    pem.parent.mkdir(mode=0o700, exist_ok=True)
    pem.write_text(key["KeyMaterial"])
    account.call("iam", "create_instance_profile", InstanceProfileName="ours")
    account.call("iam", "create_instance_profile", InstanceProfileName="with-cloudwatch")
    account.call(
        "ec2",
        "create_launch_template",
        LaunchTemplateName="ours",
        LaunchTemplateData={"KeyName": "team", "Monitoring": {"Enabled": True}},
    )
    return {
        "SUBNET_A": subnets[A]["SubnetId"],
        "SUBNET_B": subnets[B]["SubnetId"],
        "GROUP": group["GroupId"],
        "IMAGE": IMAGE,
        "KEY": "team",
    }


def read(path: Path, words: dict[str, str]) -> ClusterSpec:
    text = path.read_text()
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return parse_cluster(text, path.name)


def lost(written: Any, asked: Any, path: str) -> list[str]:
    """What stands in the file and not in what is asked."""
    if isinstance(written, dict) and isinstance(asked, dict):
        return [
            gone
            for key, value in written.items()
            for gone in lost(value, asked.get(key), f"{path}.{key}")
        ]
    if isinstance(written, list) and isinstance(asked, list):
        pairs = [(one, asked[at] if at < len(asked) else None) for at, one in enumerate(written)]
        return [gone for at, (a, b) in enumerate(pairs) for gone in lost(a, b, f"{path}[{at}]")]
    return [] if written == asked else [f"{path}: {written!r} became {asked!r}"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_of_each_node_config_is_asked_of_ec2(
    path: Path, words: dict[str, str], account: AwsSession
) -> None:
    spec = read(path, words)
    filled = look_up(spec, account, lambda: HERE).make()
    zones = {one["SubnetId"]: one["AvailabilityZone"] for one in account.pages(
        "ec2", "describe_subnets", "Subnets"
    )}  # fmt: skip
    for name, kind in filled.node_types.items():
        ways = choices(kind, zones, lambda *_: None)
        assert ways, name
        written, problems = in_ec2s_words(spec.node_types[name].node_config)
        assert problems == []
        asked = run_arguments(
            kind.node_config, ways[0], least=1, most=1, written={"Name": "n"}, token="t"
        )
        tags = written.pop("TagSpecifications", [])
        moved = _security_groups(written, asked)
        assert lost({k: v for k, v in written.items() if k not in OURS}, moved, name) == []
        for specified in tags:
            (ours,) = [
                one
                for one in asked["TagSpecifications"]
                if one["ResourceType"] == specified["ResourceType"]
            ]
            assert all(tag in ours["Tags"] for tag in specified["Tags"])


def _security_groups(written: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Ray's word for no image of one's own is looked up."""
    if written.get("ImageId") == "latest_dlami":
        del written["ImageId"]
        assert asked["ImageId"].startswith("ami-")
    return asked


NOTED = {
    "cloudwatch": [
        "provider.cloudwatch is not done: start the agent with setup_commands",
        "ray.worker.default: the head's role ray-autoscaler-v1 may not hand on the role of",
    ],
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_not_heeded_is_named_and_nothing_else(path: Path, words: dict[str, str]) -> None:
    notes = unheeded(read(path, words))
    wanted = NOTED.get(path.stem, [])
    assert len(notes) == len(wanted)
    for note, begin in zip(notes, wanted, strict=True):
        assert note.startswith(begin)
