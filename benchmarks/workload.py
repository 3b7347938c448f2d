"""Made-up clusters and demand for the planner benchmark, the same for every planner and run."""

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
WIDE_MACHINES = (
    *(
        _machine(f"{family}.{size}", cpus, cpus * gib, 0, round(cpus * price, 3))
        for family, gib, price in (("m5", 4, 0.048), ("c5", 2, 0.0425), ("r5", 8, 0.063))
        for size, cpus in (("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16),
                           ("12xlarge", 48), ("24xlarge", 96))
    ),
    _machine("m5.8xlarge", 32, 128, 0, 1.536),
    _machine("r5.8xlarge", 32, 256, 0, 2.016),
    _machine("c5.9xlarge", 36, 72, 0, 1.53),
    _machine("g4dn.xlarge", 4, 16, 1, 0.526),
    _machine("g4dn.2xlarge", 8, 32, 1, 0.752),
    _machine("g4dn.4xlarge", 16, 64, 1, 1.204),
    _machine("g4dn.12xlarge", 48, 192, 4, 3.912),
    _machine("g5.xlarge", 4, 16, 1, 1.006),
    _machine("g5.4xlarge", 16, 64, 1, 1.624),
    _machine("g5.12xlarge", 48, 192, 4, 5.672),
    _machine("g5.24xlarge", 96, 384, 4, 8.144),
    _machine("g5.48xlarge", 192, 768, 8, 16.288),
)  # fmt: skip
"""Thirty types, as a cluster has that leaves the choice to its autoscaler."""
HEAD = Machine("head", {}, 0.0)
BUNDLE: Amounts = {"CPU": 4}
GANG_SIZE = 4


@dataclass(frozen=True)
class Existing:
    """A running node and what of it is free."""

    machine: Machine
    free: Amounts


@dataclass(frozen=True)
class Workload:
    """Node types, running nodes, and what waits: shapes with counts, and STRICT_SPREAD groups."""

    machines: tuple[Machine, ...]
    existing: tuple[Existing, ...]
    demands: tuple[tuple[Amounts, int], ...]
    gangs: int


def make(
    nodes: int, demands: int, existing: str, gangs: int = 0, *, wide: bool = False
) -> Workload:
    """A cluster of `nodes` running nodes (`busy` or `mixed`) and that much demand.

    Ten node types and twenty shapes, or thirty and a hundred in a `wide` one. The first nodes are
    one of each type: planners let only five nodes of a type start at a time where none of it runs
    yet, and that limit is not what is measured.
    """
    chance = random.Random(SEED)
    machines = WIDE_MACHINES if wide else MACHINES
    shapes = _many_shapes(chance) if wide else _shapes(chance)
    kinds = [*machines, *chance.choices(machines, k=max(0, nodes - len(machines)))]
    running = tuple(_node(chance, machine, existing) for machine in kinds)
    counts = Counter(chance.randrange(len(shapes)) for _ in range(demands))
    waiting = tuple((shapes[index], count) for index, count in sorted(counts.items()))
    return Workload(machines, running, waiting, gangs)


def _shapes(chance: random.Random) -> list[Amounts]:
    """Twenty shapes: eight of CPUs, seven of CPUs and memory, five of GPUs."""
    shapes: list[Amounts] = [{"CPU": cpus} for cpus in (1, 2, 3, 4, 6, 8, 12, 16)]
    for cpus in (1, 2, 4, 4, 8, 8, 16):
        shapes.append({"CPU": cpus, "memory": cpus * chance.choice((2, 3, 5, 7)) * GIB})
    for gpus in (1, 1, 1, 2, 4):
        shapes.append({"CPU": gpus * chance.choice((2, 3, 4)), "GPU": gpus})
    return shapes


def _many_shapes(chance: random.Random) -> list[Amounts]:
    """A hundred different shapes: 25 of CPUs, 55 of CPUs and memory, 20 of GPUs."""
    alone = [(cpus, 0, 0) for cpus in range(1, 26)]
    memory = [(cpus, gib, 0) for cpus in range(1, 17) for gib in range(1, 8 * cpus)]
    gpus = [(cpus, gib, gpus) for gpus in (1, 2, 4) for cpus in range(gpus, 4 * gpus + 1)
            for gib in (0, 4 * gpus, 8 * gpus, 12 * gpus)]  # fmt: skip
    return [
        {"CPU": c, **({"memory": m * GIB} if m else {}), **({"GPU": g} if g else {})}
        for c, m, g in (*alone, *chance.sample(memory, 55), *chance.sample(gpus, 20))
    ]


def _node(chance: random.Random, machine: Machine, existing: str) -> Existing:
    free = 0.0
    if existing == PARTLY_FREE and chance.random() < _FREE_SHARE:
        free = chance.uniform(0.25, 0.75)
    return Existing(machine, {name: int(amount * free) for name, amount in machine.amounts.items()})
