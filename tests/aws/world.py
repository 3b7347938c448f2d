"""A cluster on the emulator, and short words for what tests ask of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from msgspec.structs import replace

from raytui.backends.aws.machines import Ec2Machines
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import LaunchRequest
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering, ProviderSpec
from raytui.model.state import Instance
from raytui.provisioning.hashes import launch_hash
from tests.aws.emulated import REGION, Emulated

A, B = "us-west-2a", "us-west-2b"
SPOT = Market.SPOT
IMAGE = "ami-785db401"


class World:
    """The default subnets of two zones, a head type, a worker type in both zones."""

    kind: type[Ec2Machines] = Ec2Machines

    def __init__(self, ec2: Emulated, aws: AwsSession) -> None:
        self.ec2 = ec2
        self.aws = aws
        self.now = 1_000_000.0
        self.steady: Callable[[], float] = count(0, 3600).__next__
        """Each look at it is an hour later, so that every listing is a new one."""
        found = aws.pages("ec2", "describe_subnets", "Subnets")
        self.subnets = {one["AvailabilityZone"]: one["SubnetId"] for one in found}
        self.paths = ClusterPaths("mine").make()
        self.spec = self.cluster()
        self.machines = self.again()

    def config(self, **more: Any) -> dict[str, Any]:
        subnets = [self.subnets[A], self.subnets[B]]
        return {"InstanceType": "m5.large", "ImageId": IMAGE, "SubnetIds": subnets, **more}

    def cluster(
        self, *offerings: Offering, config: dict[str, Any] | None = None, **options: Any
    ) -> ClusterSpec:
        types = {
            "head": NodeType("head", node_config=self.config()),
            "worker": NodeType(
                "worker",
                max_workers=1000,
                node_config=config or self.config(),
                offerings=offerings or (Offering(),),
            ),
        }
        provider = ProviderSpec("aws", {"type": "aws", "region": REGION, **options})
        return ClusterSpec("mine", provider, types, "head")

    def again(self, spec: ClusterSpec | None = None) -> Ec2Machines:
        """The machines as another process sees them."""
        self.spec = spec or self.spec
        return self.kind(
            self.spec,
            self.paths,
            self.aws,
            lambda _, node_type: launch_hash(node_type.node_config, {}),
            clock=lambda: self.now,
            steady=self.steady,
        )

    def request(self, name: str, count: int = 1, **offering: Any) -> LaunchRequest:
        return LaunchRequest(name, "worker", count, Offering(**offering))

    def launch(self, name: str, count: int = 1, **offering: Any) -> list[Instance]:
        return self.machines.launch(self.request(name, count, **offering))

    def at_ec2(self, *states: str) -> dict[str, dict[str, Any]]:
        """All instances that EC2 has in these states (default: not ended), by its ids."""
        reservations = self.aws.pages("ec2", "describe_instances", "Reservations")
        wanted = states or ("pending", "running", "stopping", "stopped")
        return {
            one["InstanceId"]: one
            for reservation in reservations
            for one in reservation["Instances"]
            if one["State"]["Name"] in wanted
        }


def ids(instances: list[Instance] | tuple[Instance, ...]) -> list[str]:
    return sorted(instance.instance_id for instance in instances)


def priced(
    price: float, instance_type: str = "m5.large", zone: str = "", market: Market = Market.ON_DEMAND
) -> Offering:
    return replace(Offering(instance_type, zone, market), price_per_hour=price)
