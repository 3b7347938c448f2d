"""Made-up clusters and demand for the planning benchmark, the same for every planner and run."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

GIB = 2**30
SEED = 7
FULL, PARTLY_FREE = "busy", "mixed"
_FREE_SHARE = 0.4
"""Share of the nodes of a mixed cluster that have room left."""

Amounts = dict[str, float]


@dataclass(frozen=True)
class Machine:
    """A node type: what it has, and USD per hour as AWS lists it (us-west-2, on demand)."""

    name: str
    amounts: Amounts
    price: float


def _machine(name: str, cpus: int, gib: int, gpus: int, price: float) -> Machine:
    amounts: Amounts = {"CPU": cpus, "memory": gib * GIB, **({"GPU": gpus} if gpus else {})}
    return Machine(name, amounts, price)


MACHINES = (
    _machine("m5.xlarge", 4, 16, 0, 0.192),
    _machine("m5.4xlarge", 16, 64, 0, 0.768),
    _machine("m5.16xlarge", 64, 256, 0, 3.072),
    _machine("c5.4xlarge", 16, 32, 0, 0.68),
    _machine("c5.18xlarge", 72, 144, 0, 3.06),
    _machine("r5.4xlarge", 16, 128, 0, 1.008),
    _machine("r5.16xlarge", 64, 512, 0, 4.032),
    _machine("g4dn.xlarge", 4, 16, 1, 0.526),
    _machine("g5.12xlarge", 48, 192, 4, 5.672),
    _machine("g5.48xlarge", 192, 768, 8, 16.288),
)
"""Prices nearly linear in size, and no A100s for those who take the largest GPU node first: what
differs between planners is how they pack."""
HEAD = Machine("head", {}, 0.0)
PRICES = {machine.name: machine.price for machine in MACHINES}
BUNDLE: Amounts = {"CPU": 4}
GANG_SIZE = 4


@dataclass(frozen=True)
class Existing:
    """A running node and what of it is free."""

    machine: Machine
    free: Amounts


@dataclass(frozen=True)
class Workload:
    """Running nodes, and what waits: shapes with counts, and STRICT_SPREAD placement groups."""

    existing: tuple[Existing, ...]
    demands: tuple[tuple[Amounts, int], ...]
    gangs: int


def make(nodes: int, demands: int, existing: str, gangs: int) -> Workload:
    """A cluster of `nodes` running nodes (`busy` or `mixed`) and that much demand.

    The first nodes are one of each type: raytui lets only five nodes of a type start at a time
    where none of it runs yet, and that limit is not what is measured.
    """
    chance = random.Random(SEED)
    shapes = _shapes(chance)
    kinds = [*MACHINES, *chance.choices(MACHINES, k=max(0, nodes - len(MACHINES)))]
    running = tuple(_node(chance, machine, existing) for machine in kinds)
    counts = Counter(chance.randrange(len(shapes)) for _ in range(demands))
    waiting = tuple((shapes[index], count) for index, count in sorted(counts.items()))
    return Workload(running, waiting, gangs)


def _shapes(chance: random.Random) -> list[Amounts]:
    """Twenty shapes: eight of CPUs, seven of CPUs and memory, five of GPUs."""
    shapes: list[Amounts] = [{"CPU": cpus} for cpus in (1, 2, 3, 4, 6, 8, 12, 16)]
    for cpus in (1, 2, 4, 4, 8, 8, 16):
        shapes.append({"CPU": cpus, "memory": cpus * chance.choice((2, 3, 5, 7)) * GIB})
    for gpus in (1, 1, 1, 2, 4):
        shapes.append({"CPU": gpus * chance.choice((2, 3, 4)), "GPU": gpus})
    return shapes


def _node(chance: random.Random, machine: Machine, existing: str) -> Existing:
    free = 0.0
    if existing == PARTLY_FREE and chance.random() < _FREE_SHARE:
        free = chance.uniform(0.25, 0.75)
    return Existing(machine, {name: int(amount * free) for name, amount in machine.amounts.items()})
