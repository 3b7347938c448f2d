"""Who launches a cluster on the emulator, whose instances let nobody in."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from raytui.backends.aws.session import AwsSession
from raytui.config.locations import ClusterPaths
from raytui.launcher import down, up
from raytui.launcher.options import DownOptions, UpOptions
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, Step, StepSink, StepStatus
from tests.aws.bootstrapping import MINIMAL, spec
from tests.aws.emulated import Emulated

SETTINGS = "Host *\n  ProxyCommand false\n"
"""An ssh_config by which every host hangs up at once."""

FROM_ANYWHERE = {
    "IpProtocol": "tcp",
    "FromPort": 22,
    "ToPort": 22,
    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
}
AT_ONCE = UpOptions(login_within_s=0.0, boot_within_s=0.0)


class Laptop:
    """Says `up` and `down`, and looks at what EC2 has then."""

    def __init__(self, ec2: Emulated, aws: AwsSession) -> None:
        self.ec2 = ec2
        self.aws = aws
        self.paths = ClusterPaths("mine")
        self.steps: dict[str, Step] = {}
        self.options: dict[str, Any] = {}
        """Of the provider section, in all cluster files."""

    def cluster(self, text: str = MINIMAL, **provider: Any) -> ClusterSpec:
        """A file with a rule by which nobody has to be asked for our address."""
        rule = {"IpPermissions": [FROM_ANYWHERE]}
        return spec(text, security_group=rule, **self.options, **provider)

    def up(
        self, cluster: ClusterSpec | None = None, on_step: StepSink | None = None, **options: Any
    ) -> str:
        """Why it ended: it comes as far as the login."""
        self.steps.clear()
        with pytest.raises(LaunchError) as error:
            up(cluster or self.cluster(), on_step or self.told, replace(AT_ONCE, **options))
        return str(error.value)

    def down(self, on_step: StepSink | None = None, **options: Any) -> None:
        """Take it down: nobody is let in to the head, and nothing appears later."""
        self.steps.clear()
        given = DownOptions(login_within_s=0.0, settle_s=0.0)
        down(self.cluster(), on_step or self.told, replace(given, **options))

    def told(self, step: Step) -> None:
        """Takes the steps, the last word of each."""
        self.steps[step.name] = step

    def how(self) -> dict[str, StepStatus]:
        """How each step ended."""
        return {name: step.status for name, step in self.steps.items()}

    def at_ec2(self, *states: str) -> list[dict[str, Any]]:
        """All instances that EC2 has in these states (default: alive)."""
        return [
            one
            for reservation in self.aws.pages("ec2", "describe_instances", "Reservations")
            for one in reservation["Instances"]
            if one["State"]["Name"] in (states or ("pending", "running"))
        ]

    def heads(self) -> list[str]:
        """EC2's ids of the heads that are alive."""
        return [
            one["InstanceId"] for one in self.at_ec2() if tags_of(one)["ray-node-type"] == "head"
        ]


def tags_of(instance: dict[str, Any]) -> dict[str, str]:
    """The tags of an instance as EC2 tells of it."""
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
