"""The least that new nodes can cost, whoever plans: a bound from linear programming.

Gilmore and Gomory's relaxation of bin packing. A pattern is what one node holds; the program picks
how many nodes hold which pattern, fractions allowed, so that every request has a place: existing
nodes are free and as many as there are, new ones cost their price. No plan can be cheaper. Patterns
are not listed but generated: the program's dual prices say what each shape is worth, a knapsack
finds for every node type and every class of existing nodes the pattern worth the most, and the
loop ends when no pattern is worth more than it costs. Stopped earlier, Farley's bound still holds.

It shares no code with raytui's planner and leaves out what only makes plans dearer: that a
STRICT_SPREAD group wants distinct nodes, that nodes come whole.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray
from workload import BUNDLE, GANG_SIZE, GIB, Amounts, Existing, Workload

_KINDS = ("GPU", "CPU", "memory")
_ROUNDS = 400
_CLOSE = 1e-6
_A_CENT = 0.01

Size = tuple[int, int, int]
"""GPUs, CPUs and GiB: whole numbers in this workload."""
Pattern = tuple[int, ...]
"""How many of each shape a node holds."""


class Bin(NamedTuple):
    """Nodes of one size: what one costs, and how many there are."""

    size: Size
    price: float
    number: float
    """Infinite for new nodes: as many as one pays."""


def least_usd_per_hour(work: Workload) -> float:
    """USD per hour that new nodes cost at least when every request of `work` is placed."""
    wanted: Counter[Size] = Counter()
    for shape, count in work.demands:
        wanted[_size(shape)] += count
    wanted[_size(BUNDLE)] += work.gangs * GANG_SIZE
    shapes = [shape for shape, count in wanted.items() if count]
    free = Counter(_size(node.free) for node in work.existing)
    bins = [Bin(_size(machine.amounts), machine.price, math.inf) for machine in work.machines]
    bins += [Bin(size, 0.0, count) for size, count in sorted(free.items())]
    return _Bound(shapes, [wanted[shape] for shape in shapes], bins).solve()


def could_hold(work: Workload, launches: Mapping[str, int]) -> bool:
    """Whether the new nodes (node type to number) have room for all, if only by halves of requests.

    Then nothing more need be bought. A plan that fails this places what it has no room for.
    """
    launched = tuple(
        Existing(machine, machine.amounts)
        for machine in work.machines
        for _ in range(launches.get(machine.name, 0))
    )
    return least_usd_per_hour(replace(work, existing=work.existing + launched)) < _A_CENT


def _size(amounts: Amounts) -> Size:
    """Whole units; a node's last part of a GiB is of no use, since every shape wants whole ones."""
    gpus, cpus, memory = (amounts.get(kind, 0) for kind in _KINDS)
    return int(gpus), int(cpus), int(memory // GIB)


class _Bound:
    """The program over the patterns known so far, and the knapsack that finds more."""

    def __init__(self, shapes: list[Size], counts: list[int], bins: list[Bin]) -> None:
        self._shapes = shapes
        self._counts = counts
        self._bins = [b for b in bins if any(_fits(shape, b.size) for shape in shapes)]
        self._limited = [b for b in self._bins if b.number < math.inf]
        self._known: set[tuple[int, Pattern]] = set()
        self._lp = highspy.Highs()  # type: ignore[no-untyped-call]
        self._lp.silent()
        for count in counts:
            self._lp.addRow(count, highspy.kHighsInf, 0, [], [])
        for one in self._limited:
            self._lp.addRow(-highspy.kHighsInf, one.number, 0, [], [])

    def solve(self) -> float:
        """The bound, in USD per hour."""
        for index, shape in enumerate(self._shapes):
            for position, one in enumerate(self._bins):
                if one.number == math.inf and (copies := _copies(shape, one.size)):
                    alone = tuple(copies if i == index else 0 for i in range(len(self._shapes)))
                    self._add(position, alone)
        best = 0.0
        for _ in range(_ROUNDS):
            self._lp.run()
            duals = np.array(self._lp.getSolution().row_dual)
            worth, dues = duals[: len(self._shapes)], -duals[len(self._shapes) :]
            found, bound = self._better(np.maximum(worth, 0.0), np.maximum(dues, 0.0))
            best = max(best, bound)
            cost = self._lp.getInfo().objective_function_value
            if cost - best <= _CLOSE * max(1.0, cost) or not found:
                break
            for position, pattern in found:
                self._add(position, pattern)
        return best

    def _better(
        self, worth: NDArray[np.float64], dues: NDArray[np.float64]
    ) -> tuple[list[tuple[int, Pattern]], float]:
        """Patterns worth more than they cost, and the bound that the dual prices prove.

        Scaled down until no new node holds more than it costs, and with what existing nodes hold
        subtracted, dual prices are a feasible dual solution: its value bounds every plan's cost.
        """
        table = _knapsack(self._shapes, worth, _largest(self._bins))
        due = dict(zip(map(id, self._limited), dues, strict=True))
        values = [float(table[one.size]) for one in self._bins]
        found = []
        for position, (one, value) in enumerate(zip(self._bins, values, strict=True)):
            if value > one.price + due.get(id(one), 0.0) + 1e-9:
                pattern = _pattern(table, self._shapes, worth, one.size)
                if (position, pattern) not in self._known:
                    found.append((position, pattern))
        pairs = list(zip(self._bins, values, strict=True))
        scale = min(
            (b.price / v for b, v in pairs if b.number == math.inf and v > b.price), default=1.0
        )
        held = sum(b.number * v for b, v in pairs if b.number < math.inf)
        return found, scale * (float(worth @ np.array(self._counts, dtype=float)) - held)

    def _add(self, position: int, pattern: Pattern) -> None:
        one = self._bins[position]
        self._known.add((position, pattern))
        rows = [index for index, copies in enumerate(pattern) if copies]
        values = [float(pattern[index]) for index in rows]
        if one.number < math.inf:
            rows.append(len(self._shapes) + self._limited.index(one))
            values.append(1.0)
        self._lp.addCol(one.price, 0.0, highspy.kHighsInf, len(rows), rows, values)


def _knapsack(
    shapes: Sequence[Size], worth: NDArray[np.float64], most: Size
) -> NDArray[np.float64]:
    """The most that a node of each size up to `most` can hold, by worth."""
    table = np.zeros(tuple(amount + 1 for amount in most))
    for (gpus, cpus, gib), value in zip(shapes, worth, strict=True):
        if value <= 0.0:
            continue
        for cpu in range(cpus, most[1] + 1):
            whole = table[gpus:, cpu, gib:]
            rest = table[: most[0] + 1 - gpus, cpu - cpus, : most[2] + 1 - gib]
            np.maximum(whole, rest + value, out=whole)
    return table


def _pattern(
    table: NDArray[np.float64], shapes: Sequence[Size], worth: NDArray[np.float64], size: Size
) -> Pattern:
    """What a node of this size holds when it holds the most by worth."""
    copies = [0] * len(shapes)
    while table[size] > 0.0:
        for index, (shape, value) in enumerate(zip(shapes, worth, strict=True)):
            if value > 0.0 and _fits(shape, size):
                rest = (size[0] - shape[0], size[1] - shape[1], size[2] - shape[2])
                if abs(table[rest] + value - table[size]) < 1e-12 * max(1.0, table[size]):
                    copies[index] += 1
                    size = rest
                    break
        else:
            raise ArithmeticError(f"no shape explains the worth {table[size]} of {size}")
    return tuple(copies)


def _largest(bins: Sequence[Bin]) -> Size:
    gpus, cpus, gib = (max(sizes) for sizes in zip(*(b.size for b in bins), strict=True))
    return gpus, cpus, gib


def _fits(shape: Size, size: Size) -> bool:
    return all(part <= whole for part, whole in zip(shape, size, strict=True))


def _copies(shape: Size, size: Size) -> int:
    return min(whole // part for part, whole in zip(shape, size, strict=True) if part)
