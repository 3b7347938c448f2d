"""The real loop and real calls to the emulator, beside a simulated Ray, on a clock of its own."""

from __future__ import annotations

import time

from msgspec.structs import replace

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.inline import Inline
from raytui.autoscaler.simulation.simulated_ray import SimulatedRay
from raytui.backends.base import LaunchRequest, NodeProvider
from raytui.model.command import Command
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance
from tests.aws.emulated import Emulated
from tests.aws.price_server import PriceServer
from tests.aws.world import World

MARKET = "InstanceMarketOptions.MarketType"


class Looped:
    """A cluster on the emulator with its head up, and the loop that drives it."""

    boot_s = (2.0, 3.0)
    most = 100
    """Workers that the file allows."""

    def __init__(self, world: World, **types: tuple[Offering, ...]) -> None:
        """Node types of 4 CPUs each, by the ways to buy them."""
        self.world = world
        self.began = self.now = time.time()  # EC2's own clock is the real one
        world.steady = lambda: self.now
        world.ec2.prices = PriceServer()
        self.spec = self._cluster(types)
        self.machines = world.again(self.spec)
        self.machines.launch(LaunchRequest("the-head", "head", 1, is_head=True))
        self.ec2.launches.clear()
        self.ec2.calls.clear()
        self.ids = 0
        self.ledger = Ledger(None)
        self.instances: dict[str, Instance] = {}
        """What runs at EC2, for the simulated Ray."""
        self.ray = SimulatedRay(self.spec, self, (), clock=self.clock, boot_s=self.boot_s)  # type: ignore[arg-type]
        self.provider = self.provided()
        self.loop = Reconciler(
            self.machines.fill(self.spec),
            self.provider,
            self.ray,
            self.ledger,
            info=ClusterInfo("mine", "aws"),
            pool=Inline(),
            clock=self.clock,
            steady=self.clock,
            new_id=self._id,
        )
        self.snapshot: Snapshot = self.run()

    def provided(self) -> NodeProvider:
        """What the loop drives."""
        return self.machines

    @property
    def ec2(self) -> Emulated:
        return self.world.ec2

    def clock(self) -> float:
        self.world.now = self.now
        return self.now

    def run(self, seconds: int = 1) -> Snapshot:
        for _ in range(seconds):
            self.now += 1
            self.tick()
        return self.snapshot

    def tick(self) -> Snapshot:
        """One round, without time passing."""
        self.snapshot = self.loop.tick()
        self.instances = {i.instance_id: i for i in self.machines.list_instances()}
        return self.snapshot

    def settle(self) -> Snapshot:
        """Go on while the loop has something to do; no time passes."""
        for _ in range(50):
            self.tick()
            if not self.loop.due():
                return self.snapshot
        raise AssertionError("it is never done")

    def order(self, command: Command) -> None:
        assert self.loop.command(command, "ann@host").ok

    def workers(self) -> list[Instance]:
        return [i for i in self.machines.list_instances() if not i.is_head]

    def asked(self) -> list[str]:
        """What EC2 was asked to run, in order: `2 m5.large us-west-2a spot`."""
        zones = {subnet: zone for zone, subnet in self.world.subnets.items()}
        return [
            " ".join(
                filter(
                    None,
                    (
                        call["MaxCount"],
                        call["InstanceType"],
                        zones[call["SubnetId"]],
                        call.get(MARKET, ""),
                    ),
                )
            )
            for call in self.ec2.launches
        ]

    def _cluster(self, types: dict[str, tuple[Offering, ...]]) -> ClusterSpec:
        spec = self.world.cluster()
        config = {k: v for k, v in self.world.config().items() if k != "InstanceType"}
        workers = {
            name: NodeType(
                name,
                resources=Resources.of({"CPU": 4}),
                max_workers=self.most,
                node_config=config,
                offerings=ways,
            )
            for name, ways in types.items()
        }
        head = spec.node_types["head"]
        return replace(spec, node_types={"head": head, **workers}, max_workers=self.most)

    def _id(self) -> str:
        self.ids += 1
        return f"{self.ids:04d}"
