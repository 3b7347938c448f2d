"""Made-up packing problems, seeded: priced types, running nodes, demand, and limits or none."""

from __future__ import annotations

import random
from dataclasses import dataclass

from raytui.autoscaler.planning.buying import NODE_CHARGE
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType
from raytui.model.state import Bundle, ClusterState, Demand, Gang, LabelSelector, Strategy
from tests.planner.exact import Item, Place
from tests.support.clusters import kind, spec, state, worker

SPEED = 1000.0
"""upscaling_speed that never throttles, since one node of every type runs."""


@dataclass(frozen=True)
class Case:
    """A problem, as the planner is given it."""

    seed: int
    state: ClusterState
    spec: ClusterSpec
    kinds: tuple[NodeType, ...]
    most_nodes: int
    """New nodes that the cluster's limit allows."""

    def __str__(self) -> str:
        return f"seed {self.seed}"

    def items(self) -> list[Item]:
        """The demand for the exact solver."""
        return [Item(d.resources, d.count, d.selectors) for d in self.state.demands]

    def places(self, *, new: bool = True) -> list[Place]:
        """Running nodes, and all that may be bought."""
        there = [
            Place(m.node.available, m.node.labels) for m in self.state.members if m.node is not None
        ]
        for k in self.kinds if new else ():
            running = sum(m.node_type == k.name for m in self.state.members)
            left = min(k.max_workers - running, self.most_nodes)
            cost = (k.price_per_hour or 0.0) + NODE_CHARGE
            labels = {"ray.io/node-group": k.name, **k.labels}
            there += [Place(k.resources, labels, k.name, cost, bought=True)] * left
        return there


def make(seed: int, *, tight: bool = False, running: int = 3, gangs: int = 0) -> Case:
    """One problem. `tight`: limits that may forbid placing everything.

    At most `running` nodes are partly free, and at most `gangs` placement groups wait.
    """
    chance = random.Random(seed)
    kinds = tuple(_kind(chance, i, tight) for i in range(chance.randint(2, 4)))
    members = [worker(k, f"busy-{k.name}") for k in kinds]
    for index in range(chance.randint(0, running)):
        k = chance.choice(kinds)
        used = chance.randint(0, int(k.resources.amount("CPU")))
        members.append(worker(k, f"half-{index}", used={"CPU": used}))
    demands = [_demand(chance, kinds) for _ in range(chance.randint(1, 5))]
    most = chance.randint(1, 4) if tight else 12
    groups = [_gang(chance, f"g{i}", demands) for i in range(chance.randint(0, gangs))]
    return Case(
        seed,
        state(*members, demands=demands, gangs=groups),
        spec(*kinds, max_workers=len(members) + most, speed=SPEED),
        kinds,
        most,
    )


def _kind(chance: random.Random, index: int, tight: bool) -> NodeType:
    cpus = chance.choice((2, 4, 8, 16))
    amounts: dict[str, float] = {"CPU": cpus, "memory": cpus * chance.choice((2, 4, 8)) * 1e9}
    price = 0.05 * cpus * chance.uniform(0.7, 1.3)
    if chance.random() < 0.3:
        gpus = chance.choice((1, 2, 4))
        amounts["GPU"] = gpus
        price += gpus * chance.uniform(0.5, 1.5)
    zone = {"zone": chance.choice("ab")}
    most = chance.randint(4, 7) if tight else 50
    return kind(f"type-{index}", round(price, 3), max=most, labels=zone, **amounts)


def _demand(chance: random.Random, kinds: tuple[NodeType, ...]) -> Demand:
    """A shape that some type can hold."""
    k = chance.choice(kinds)
    amounts = {"CPU": chance.randint(1, int(k.resources.amount("CPU")))}
    if chance.random() < 0.4:
        most = k.resources.amount("memory") / 1e9
        amounts["memory"] = chance.randint(1, int(most)) * 10**9
    gpus = k.resources.amount("GPU")
    if gpus and chance.random() < 0.6:
        amounts["GPU"] = chance.choice((0.5, 1, gpus))
    selectors: tuple[LabelSelector, ...] = ()
    if chance.random() < 0.3:
        operator = chance.choice(("in", "not-in"))
        zone = k.labels["zone"] if operator == "in" else "ab".replace(k.labels["zone"], "")
        selectors = ((("zone", operator, (zone,)),),)
    return Demand(Resources.of(amounts), chance.randint(1, 6), selectors)


def _gang(chance: random.Random, name: str, demands: list[Demand]) -> Gang:
    """Alike bundles, or a few different ones."""
    parts = chance.choices(demands, k=chance.randint(1, 3))
    if chance.random() < 0.5:
        parts = parts[:1] * chance.randint(2, 4)
    bundles = [Bundle(d.resources, d.selectors[0] if d.selectors else ()) for d in parts]
    return Gang(name, chance.choice(list(Strategy)), tuple(bundles))
