"""Instances of the emulated EC2 are hosts: what one gets who launches one as anybody would."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.world import IMAGE
from tests.support.emulated_aws import EmulatedAws, emulated_aws
from tests.support.emulated_instances import USER
from tests.support.hosts import Engine, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(120)]

WHO = """
import boto3, json
ec2 = boto3.session.Session().client("ec2", region_name="us-west-2")
found = ec2.describe_instances()["Reservations"]
print(json.dumps([one["Instances"][0]["InstanceId"] for one in found]))
"""


@pytest.fixture
def aws(engine: Engine, tmp_path: Path) -> Iterator[EmulatedAws]:
    with emulated_aws(engine, tmp_path / "laptop", most=2) as aws:
        yield aws


def client(aws: EmulatedAws, service: str) -> Any:
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret"}
    return boto3.client(service, endpoint_url=aws.ec2.url, region_name="us-west-2", **keys)


def launched(aws: EmulatedAws, key: Path, **more: Any) -> str:
    ec2 = client(aws, "ec2")
    key.write_text(ec2.create_key_pair(KeyName="mine")["KeyMaterial"])
    key.chmod(0o600)
    (one,) = ec2.run_instances(
        ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1, KeyName="mine", **more
    )["Instances"]
    assert one["State"]["Name"] == "pending"
    assert not one.get("PrivateIpAddress") and not one.get("PublicIpAddress")
    return str(one["InstanceId"])


def told(aws: EmulatedAws, name: str, state: str) -> dict[str, Any]:
    """What EC2 tells of an instance, once it is in this state."""

    def described() -> dict[str, Any]:
        found = client(aws, "ec2").describe_instances(InstanceIds=[name])
        return dict(found["Reservations"][0]["Instances"][0])

    wait_until(lambda: described()["State"]["Name"] == state, state)
    return described()


def ssh(key: Path, address: str, command: str) -> str:
    nobody = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
    argv = ["ssh", "-F", "none", *nobody, "-i", str(key), f"{USER}@{address}", command]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_lets_in_the_holder_of_its_key_and_its_own_calls_are_its_profiles(
    aws: EmulatedAws, tmp_path: Path
):
    iam, key = client(aws, "iam"), tmp_path / "key"
    iam.create_role(RoleName="head", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="head")
    iam.add_role_to_instance_profile(InstanceProfileName="head", RoleName="head")
    name = launched(aws, key, IamInstanceProfile={"Name": "head"})
    address = told(aws, name, "running")["PublicIpAddress"]
    assert ssh(key, address, "sudo id -un; bash -ic 'ray --version' 2>&1").startswith("root\n")
    found = ssh(key, address, f"bash -ic {json.dumps('python -')} 2>/dev/null <<'E'\n{WHO}E\n")
    assert json.loads(found.splitlines()[-1]) == [name]
    own = next(c for key_id, c in aws.ec2.callers.items() if key_id.startswith("ASIA"))
    assert own["DescribeInstances"] == 1


def test_it_stops_starts_and_ends_as_ec2_is_told(aws: EmulatedAws, tmp_path: Path):
    ec2, key = client(aws, "ec2"), tmp_path / "key"
    name = launched(aws, key)
    address = told(aws, name, "running")["PublicIpAddress"]
    ssh(key, address, "echo kept > word")
    ec2.stop_instances(InstanceIds=[name])
    assert "PublicIpAddress" not in told(aws, name, "stopped")
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["ssh-keyscan", "-T", "1", address], check=True, capture_output=True)
    ec2.start_instances(InstanceIds=[name])
    address = told(aws, name, "running")["PublicIpAddress"]
    assert ssh(key, address, "cat word") == "kept\n"
    ec2.terminate_instances(InstanceIds=[name])
    told(aws, name, "terminated")
    assert not aws.instances.hosts


def test_no_more_run_than_there_is_room_for(aws: EmulatedAws, tmp_path: Path):
    launched(aws, tmp_path / "key")
    launch = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 2, "MaxCount": 2}
    with pytest.raises(Exception, match="not have sufficient"):
        client(aws, "ec2").run_instances(**launch)
