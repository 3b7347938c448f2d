"""Choose new nodes well: the greedy, then an integer program over node patterns; and a bound.

Where nodes can be filled in few ways, all of these are the patterns and the purchase is the best
there is; where in many, column generation finds the ones worth having. Without HiGHS the greedy's
purchase stands and no bound is told. All effort is counted in rounds and nodes, never in seconds,
so the same input gives the same purchase on every machine.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from raytui.autoscaler.planning import as_ray, linear
from raytui.autoscaler.planning.buying import (
    Bought,
    Supply,
    Wanted,
    Way,
    buy,
    way_of,
)
from raytui.autoscaler.planning.fillings import Counts, fillings
from raytui.model.spec import Expander

_LITTLE = 1e-7
_FEW_NODES = 40
_UNSERVED = 10.0
"""What an unserved request costs, in nodes of the dearest type."""
_STEPS_PER_ROUND = 8_000
"""Requests that one round looks at where twenty shapes and ten types are at hand. Where there are
more, the budget lasts for fewer rounds."""
_FEW_WAYS = 300
"""Ways to fill a node up to which all are chosen among, so that no purchase is better."""
_WIDE = 600
"""Pairs of request and type from which on only the most promising patterns are tried."""
_NODES_PER_ROUND = 20
"""Branch-and-bound nodes that the integer search may use, for each round of the budget."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One way to fill a node of a type."""

    supply: int
    counts: Counts


class _Problem:
    """Requests and types as the solver sees them; everything by index."""

    def __init__(
        self,
        wanted: Sequence[Wanted],
        supplies: Sequence[Supply],
        total: int,
        way: Way,
    ) -> None:
        self.way = way
        self.wanted = list(wanted)
        self.supplies = list(supplies)
        self.total = total
        self.demand = tuple(want.count for want in wanted)
        self.costs = [supply.cost for supply in supplies]
        self.fits = [
            [index for index, want in enumerate(wanted) if supply.left > 0 and supply.fits(want)]
            for supply in supplies
        ]

    @property
    def wide(self) -> bool:
        """Whether there are too many pairs of request and type to try them all."""
        return sum(map(len, self.fits)) > _WIDE

    @property
    def steps_per_round(self) -> int:
        """About how many requests a round of pricing looks at."""
        orders = [4 if self.wide else 4 + len(fitting) for fitting in self.fits]
        return sum(n * len(fitting) for n, fitting in zip(orders, self.fits, strict=True))

    def filled(self, supply: int, order: Iterable[int]) -> _Pattern:
        """A node of the type filled with requests in the given order."""
        left = dict(self.supplies[supply].room.items())
        counts = [0] * len(self.wanted)
        for index in order:
            want = self.wanted[index]
            copies = self.demand[index]
            for name, units in want.shape.items():
                copies = min(copies, left.get(name, 0) // units)
            if copies > 0:
                counts[index] = copies
                for name, units in want.shape.items():
                    left[name] -= units * copies
        return _Pattern(supply, tuple(counts))


def purchase(
    wanted: Sequence[Wanted],
    supplies: Sequence[Supply],
    total_left: int,
    expander: Sequence[Expander] = (Expander.PRICE,),
    budget: int = 0,
) -> list[Bought]:
    """Choose new nodes for the requests; takes from `wanted[].count` and `supplies[].left`.

    First the greedy by the expander's policies; where a limit leaves requests unserved, or a few
    nodes are all that is bought, also by other policies and Ray's way, and the best counts. When
    price comes first, `budget` rounds of search (0: none) look for something better still. Better
    means more served, then cheaper.
    """
    problem = _Problem(wanted, supplies, total_left, way_of(expander))
    everything = _Rest(problem)
    lots = everything.greedily()
    by_price = expander[0] is Expander.PRICE
    if everything.unserved_by(lots) or (by_price and is_small(lots)):
        chains = [(policy, *expander) for policy in (Expander.FEWEST_NODES, Expander.LEAST_WASTE)]
        ways = [(way_of(chain), total_left) for chain in chains]
        ways.append((as_ray.WAY, min(total_left, as_ray.MOST_NODES)))
        others = [_Rest(_Problem(wanted, supplies, n, way)).greedily() for way, n in ways]
        lots = min((lots, *others), key=everything.rank if by_price else everything.unserved_by)
    if lots and budget > 0 and by_price and linear.available():
        better = _improved(problem, lots, budget)
        lots = min((lots, better), key=everything.rank)
    for lot in lots:
        lot.supply.left -= lot.nodes
        for want, copies in lot.pattern:
            want.count -= copies * lot.nodes
    return lots


def is_small(lots: Sequence[Bought]) -> bool:
    """Whether so few nodes are bought that one node more or less makes a difference."""
    return sum(lot.nodes for lot in lots) <= _FEW_NODES


def share_out(
    wanted: Sequence[Wanted], supplies: Sequence[Supply], total_left: int, budget: int
) -> list[Bought] | None:
    """Fill nodes that are there and new ones, chosen together as well as can be; takes nothing.

    None where there are too many ways to do it.
    """
    if not budget or not linear.available():
        return None
    return _exactly(_Problem(wanted, supplies, total_left, way_of((Expander.PRICE,))), budget)


def _exactly(problem: _Problem, budget: int) -> list[Bought] | None:
    """The best there is, where all ways to fill a node are few enough to choose among; or None."""
    patterns: list[_Pattern] = []
    for index, supply in enumerate(problem.supplies):
        ways = fillings(supply, problem.wanted, _FEW_WAYS) if supply.left > 0 else []
        if ways is None:
            return None
        patterns += [_Pattern(index, counts) for counts in ways]
        if len(patterns) > _FEW_WAYS:
            return None
    rest = _Rest(problem)
    answer = rest.integer(patterns, budget * _NODES_PER_ROUND)
    if answer is None:
        return None
    return [lot for pattern, count in answer for lot in rest.take(pattern, count)]


def _improved(problem: _Problem, greedy: list[Bought], budget: int) -> list[Bought]:
    exact = _exactly(problem, budget)
    if exact is not None:
        return exact
    patterns = _first_patterns(problem, greedy)
    answer = _master(problem, patterns)
    steps = budget * _STEPS_PER_ROUND
    for _ in range(budget):
        fresh = _priced(problem, answer.duals, set(patterns)) if answer is not None else []
        if not fresh:
            break
        patterns += fresh
        answer = _master(problem, patterns)
        steps -= problem.steps_per_round
        if steps < 0:
            break
    if answer is None:
        return greedy
    shares = answer.values[: len(patterns)]
    # The root of a wide integer program alone takes as long as all the rest.
    nodes = 0 if problem.wide else budget * _NODES_PER_ROUND
    return _rounded(problem, patterns, shares, nodes)


def lower_bound(wanted: Sequence[Wanted], supplies: Sequence[Supply]) -> float | None:
    """USD per hour below which no nodes can hold `wanted`; None when it cannot be told.

    The linear relaxation: requests may be cut into pieces and nodes bought in fractions. But every
    request needs one whole node at least, which says more where little is bought.
    """
    program = linear.Program()
    needs = [program.row(want.count) for want in wanted]
    for supply in supplies:
        if supply.left <= 0:
            continue
        room = {name: program.row(0.0) for name, units in supply.room.items() if units}
        nodes = {row: float(supply.room.amount(name)) for name, row in room.items()}
        nodes[program.row(-float(supply.left))] = -1.0
        program.variable(supply.price, nodes)
        for want, need in zip(wanted, needs, strict=True):
            if supply.fits(want):
                takes = {room[n]: -want.shape.amount(n) for n in want.shape if n in room}
                program.variable(0.0, {need: 1.0, **takes})
    answer = linear.solve(program)
    if answer is None:
        return None
    on_sale = [supply for supply in supplies if supply.left > 0]
    cheapest = (
        min((supply.price for supply in on_sale if supply.fits(want)), default=0.0)
        for want in wanted
        if want.count
    )
    return max(answer.cost, max(cheapest, default=0.0))


def _master(problem: _Problem, patterns: Sequence[_Pattern]) -> linear.Answer | None:
    """How many nodes of each pattern, in fractions."""
    return linear.solve(_master_program(problem, patterns))


def _master_program(problem: _Problem, patterns: Sequence[_Pattern]) -> linear.Program:
    """One variable a pattern, then one for each request that is left unserved.

    Rows: requests, then types, then the total.
    """
    program = linear.Program()
    for count in problem.demand:
        program.row(count)
    for supply in problem.supplies:
        program.row(-float(supply.left))
    program.row(-float(problem.total))
    first_type, total = len(problem.demand), len(problem.demand) + len(problem.supplies)
    for pattern in patterns:
        column = {row: float(count) for row, count in enumerate(pattern.counts) if count}
        column[first_type + pattern.supply] = -1.0
        if not problem.supplies[pattern.supply].there:
            column[total] = -1.0
        program.variable(problem.costs[pattern.supply], column)
    # A request may stay unserved where limits force it, at more than any node costs.
    dearest = _UNSERVED * max(problem.costs, default=1.0)
    for row in range(len(problem.demand)):
        program.variable(dearest, {row: 1.0})
    return program


def _rounded(
    problem: _Problem, patterns: Sequence[_Pattern], shares: Sequence[float], nodes: int
) -> list[Bought]:
    """Whole nodes: the whole part of every share, and the cheapest for what that leaves."""
    rest = _Rest(problem)
    lots = []
    for pattern, share in zip(patterns, shares, strict=True):
        lots += rest.take(pattern, int(share + _LITTLE))
    used = [p for p, share in zip(patterns, shares, strict=True) if share > _LITTLE]
    candidates = [rest.greedily()]
    answer = rest.integer(used, nodes) if nodes else None
    if answer is not None:
        exact = rest.copy()
        tail = []
        for pattern, count in answer:
            tail += exact.take(pattern, count)
        candidates.append(tail + exact.greedily())
    return lots + min(candidates, key=rest.rank)


class _Rest:
    """What is still to be bought for, and what may still be bought."""

    def __init__(self, problem: _Problem) -> None:
        self._problem = problem
        self._demand = list(problem.demand)
        self._left = [supply.left for supply in problem.supplies]
        self._total = problem.total

    def copy(self) -> _Rest:
        twin = _Rest(self._problem)
        twin._demand, twin._left, twin._total = list(self._demand), list(self._left), self._total
        return twin

    def take(self, pattern: _Pattern, count: int) -> list[Bought]:
        """Buy up to `count` nodes of a pattern, none of them for requests that are all served."""
        lots = []
        while count > 0 and (most := self._most(pattern.supply)) > 0:
            takes = [
                min(want, left) for want, left in zip(pattern.counts, self._demand, strict=True)
            ]
            if not any(takes):
                break
            nodes = min(left // n for n, left in zip(takes, self._demand, strict=True) if n)
            nodes = min(nodes, count, most)
            for index, copies in enumerate(takes):
                self._demand[index] -= copies * nodes
            self._left[pattern.supply] -= nodes
            self._total -= 0 if self._problem.supplies[pattern.supply].there else nodes
            count -= nodes
            lots.append(self._bought(pattern.supply, nodes, takes))
        return lots

    def _most(self, supply: int) -> int:
        """How many nodes of a type may still be had."""
        left = self._left[supply]
        return left if self._problem.supplies[supply].there else min(left, self._total)

    def _bought(self, supply: int, nodes: int, takes: Sequence[int]) -> Bought:
        wanted = self._problem.wanted
        filled = tuple((wanted[index], copies) for index, copies in enumerate(takes) if copies)
        return Bought(self._problem.supplies[supply], nodes, filled)

    def greedily(self) -> list[Bought]:
        """What the greedy would buy for all that is left; takes nothing."""
        problem = self._problem
        wanted = [replace(w, count=n) for w, n in zip(problem.wanted, self._demand, strict=True)]
        supplies = [replace(s, left=n) for s, n in zip(problem.supplies, self._left, strict=True)]
        own_want = {id(twin): w for twin, w in zip(wanted, problem.wanted, strict=True)}
        own_type = {id(twin): s for twin, s in zip(supplies, problem.supplies, strict=True)}
        return [
            Bought(
                own_type[id(lot.supply)],
                lot.nodes,
                tuple((own_want[id(want)], copies) for want, copies in lot.pattern),
            )
            for lot in buy(wanted, supplies, self._total, problem.way)
        ]

    def unserved_by(self, lots: Sequence[Bought]) -> int:
        """How many requests the lots leave unserved."""
        served = sum(copies * lot.nodes for lot in lots for _, copies in lot.pattern)
        return sum(self._demand) - served

    def rank(self, lots: Sequence[Bought]) -> tuple[int, float, int]:
        """Sort key, best first: the fewest unserved, then the cheapest, then the fewest nodes."""
        cost = sum(lot.nodes * lot.supply.cost for lot in lots)
        return self.unserved_by(lots), round(cost, 9), sum(lot.nodes for lot in lots)

    def integer(
        self, patterns: Sequence[_Pattern], nodes: int
    ) -> list[tuple[_Pattern, int]] | None:
        """The cheapest whole numbers of patterns, each also cut down to what is left."""
        if not any(self._demand):
            return []
        cut = {_Pattern(p.supply, tuple(map(min, p.counts, self._demand))): None for p in patterns}
        cut |= {
            self._problem.filled(supply, [i for i in fitting if self._demand[i]]): None
            for supply, fitting in enumerate(self._problem.fits)
        }
        pool = [pattern for pattern in cut if any(pattern.counts)]
        smaller = copy.copy(self._problem)
        smaller.demand, smaller.total = tuple(self._demand), self._total
        smaller.supplies = [
            replace(s, left=n) for s, n in zip(smaller.supplies, self._left, strict=True)
        ]
        program = _master_program(smaller, pool)
        answer = linear.solve(program, integer_nodes=nodes)
        if answer is None:
            return None
        return [
            (p, round(v)) for p, v in zip(pool, answer.values[: len(pool)], strict=True) if round(v)
        ]


def _first_patterns(problem: _Problem, greedy: Sequence[Bought]) -> list[_Pattern]:
    """The greedy's own patterns, and each type filled with one kind of request."""
    places = {id(supply): index for index, supply in enumerate(problem.supplies)}
    names = {id(want): index for index, want in enumerate(problem.wanted)}
    patterns: dict[_Pattern, None] = {}
    for lot in greedy:
        supply = places[id(lot.supply)]
        counts = [0] * len(problem.wanted)
        for want, copies in lot.pattern:
            counts[names[id(want)]] = copies
        patterns[_Pattern(supply, tuple(counts))] = None
    for supply, fitting in enumerate(problem.fits):
        firsts = fitting[:1] if problem.wide else fitting
        for index in firsts:
            rest = [other for other in fitting if other != index]
            patterns[problem.filled(supply, [index, *rest])] = None
    return list(patterns)


def _priced(problem: _Problem, duals: Sequence[float], known: set[_Pattern]) -> list[_Pattern]:
    """Patterns that would make the master cheaper: the best found for each type."""
    values = duals[: len(problem.demand)]
    type_duals, total_dual = duals[len(problem.demand) : -1], duals[-1]
    fresh = []
    for supply, fitting in enumerate(problem.fits):
        worth_it = [index for index in fitting if values[index] > _LITTLE]
        if not worth_it:
            continue
        best = max(
            (problem.filled(supply, order) for order in _orders(problem, supply, worth_it, values)),
            key=lambda p: (sum(v * c for v, c in zip(values, p.counts, strict=True)), p.counts),
        )
        value = sum(v * c for v, c in zip(values, best.counts, strict=True))
        reduced = problem.costs[supply] + type_duals[supply] + total_dual - value
        if reduced < -_LITTLE and best not in known:
            fresh.append(best)
    return fresh


def _orders(
    problem: _Problem, supply: int, fitting: Sequence[int], values: Sequence[float]
) -> Iterable[list[int]]:
    """Orders in which to fill a node: by value per share of each resource, and of all of them."""
    room = problem.supplies[supply].room
    shares = {
        index: {
            name: units / room.units(name)
            for name, units in problem.wanted[index].shape.items()
            if units > 0
        }
        for index in fitting
    }

    def by(weights: Mapping[int, float]) -> list[int]:
        return sorted(fitting, key=lambda i: (-values[i] / max(weights[i], 1e-9), i))

    together = {index: sum(parts.values()) for index, parts in shares.items()}
    densest = by(together)
    yield densest
    yield by({index: max(parts.values(), default=0.0) for index, parts in shares.items()})
    for name in sorted(room):
        yield by({i: parts.get(name, 0.0) + 0.01 * together[i] for i, parts in shares.items()})
    for first in () if problem.wide else fitting:
        yield [first, *(index for index in densest if index != first)]
