"""Choose new nodes for what found no room, at the lowest price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from raytui.autoscaler.planning.packing import PLENTY, Bin, Packing, Placed, matches
from raytui.model.resources import Resources
from raytui.model.spec import Expander
from raytui.model.state import LabelSelector

NODE_CHARGE = 0.02
"""USD per hour added to every node's price. List prices are linear in size, so without it many
small nodes look as good as a few large ones, while each costs a boot, an address and a raylet."""


@dataclass(slots=True)
class Wanted:
    """A shape that still needs room, and how many of it."""

    shape: Resources
    count: int
    selectors: tuple[LabelSelector, ...] = ()
    needs: tuple[tuple[str, int], ...] = field(init=False)
    """The shape as (name, units), which is what the inner loops read."""

    def __post_init__(self) -> None:
        self.needs = tuple((name, units) for name, units in self.shape.items() if units > 0)

    @property
    def difficulty(self) -> tuple[int | str, ...]:
        """Sort key, hardest first: selective, GPUs, many kinds of resources, large."""
        return (
            -len(self.selectors[0]) if self.selectors else 0,
            -self.shape.units("GPU"),
            -len(self.shape),
            -self.shape.units("CPU"),
            self.shape.text(),
            str(self.selectors),
        )

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy the request or one of its fallbacks."""
        return not self.selectors or any(matches(s, labels) for s in self.selectors)

    def settle(self, supplies: Sequence[Supply]) -> None:
        """Keep the first selector that a type on offer satisfies; the later ones are fallbacks."""
        for selector in self.selectors:
            first = Wanted(self.shape, self.count, (selector,))
            if any(supply.left > 0 and supply.fits(first) for supply in supplies):
                self.selectors = (selector,)
                return


@dataclass(slots=True)
class Supply:
    """A node type as something to buy: its room, its price, and how many may still be had."""

    node_type: str
    room: Resources
    labels: Mapping[str, str]
    price: float
    """USD per hour of one node, known or estimated; only ratios matter."""
    left: int
    """How many more may be launched now."""
    priority: int = 0
    there: bool = False
    """Whether these nodes exist: then they cost nothing, and only `left` limits them."""

    @property
    def cost(self) -> float:
        """What a node counts for where fleets are compared, in USD per hour."""
        return 0.0 if self.there else self.price + NODE_CHARGE

    def fits(self, want: Wanted) -> bool:
        """Whether an empty node of the type could take the request."""
        return want.shape.fits(self.room) and want.accepts(self.labels)


def there(bin_: Bin) -> Supply:
    """The nodes of a bin as something to fill."""
    room = Resources(bin_.room)
    return Supply(bin_.node_type, room, bin_.labels, 0.0, len(bin_.ids), there=True)


Pattern = tuple[tuple[Wanted, int], ...]
"""What one node takes: (request, how often)."""


@dataclass(frozen=True, slots=True)
class Bought:
    """New nodes of one type, all filled alike."""

    supply: Supply
    nodes: int
    pattern: Pattern
    """What each of the nodes takes."""


def fill(supply: Supply, wanted: Sequence[Wanted]) -> Pattern:
    """Fill one empty node with as much as fits, in the order given."""
    left = dict(supply.room.items())
    pattern = []
    for want in wanted:
        copies = want.count
        for name, units in want.needs:
            fits = left.get(name, 0) // units
            if fits < copies:
                copies = fits
        if copies > 0 and want.accepts(supply.labels):
            pattern.append((want, copies))
            for name, units in want.needs:
                left[name] -= units * copies
    return tuple(pattern)


def nodes_alone(supply: Supply, wanted: Sequence[Wanted]) -> int:
    """How many nodes of one type take all the requests, filled in the order given.

    Every request must fit on an empty node. As `buy` would do it, were there no other type.
    """
    left = [(want.needs, want.count) for want in wanted if want.count]
    room = dict(supply.room.items())
    nodes = 0
    while left:
        free = dict(room)
        takes = []
        for needs, count in left:
            copies = count
            for name, units in needs:
                fits = free[name] // units
                if fits < copies:
                    copies = fits
            if copies:
                for name, units in needs:
                    free[name] -= units * copies
            takes.append(copies)
        repeats = min(
            count // copies for (_, count), copies in zip(left, takes, strict=True) if copies
        )
        nodes += repeats
        left = [
            (needs, rest)
            for (needs, count), copies in zip(left, takes, strict=True)
            if (rest := count - copies * repeats)
        ]
    return nodes


Score = tuple[float, ...]
"""How good a filled node is to buy; the highest is bought."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way of choosing nodes."""

    in_order: Callable[[Iterable[Wanted]], list[Wanted]]
    """In which order requests are put on a node."""
    score: Callable[[Supply, Pattern, float], Score]
    """How good a node filled like this is; the last argument is what its requests are worth."""
    one_by_one: bool = False
    """Whether after each node all types are looked at anew, and equally good ones take turns."""


def hardest_first(wanted: Iterable[Wanted]) -> list[Wanted]:
    """The order in which requests are put on nodes, if no other is wished for."""
    return sorted(wanted, key=lambda want: want.difficulty)


def way_of(expander: Sequence[Expander]) -> Way:
    """To take the best type by the expander's policies, the first that makes a difference.

    By price that is the most value per dollar, a request's value being its cheapest fair price.
    """
    policies = [_POLICIES[name] for name in expander] + _TIES

    def score(supply: Supply, pattern: Pattern, value: float) -> Score:
        return tuple([policy(supply, pattern, value) for policy in policies])

    return Way(hardest_first, score)


def fill_there(room: Packing, node_id: str, pattern: Pattern) -> list[tuple[Wanted, Placed]]:
    """Fill a node that is in the room by a pattern that fits on it; takes from `wanted[].count`."""
    placed = []
    for want, copies in pattern:
        part = room.place_on(node_id, want.shape, copies)
        if part is None:
            raise AssertionError(f"{node_id} has no room for {want.shape}")
        want.count -= part.count
        placed.append((want, part))
    return placed


def buy(
    wanted: Sequence[Wanted], supplies: Sequence[Supply], total_left: int, way: Way
) -> list[Bought]:
    """Choose new nodes for the requests; takes from `wanted[].count` and `supplies[].left`.

    Greedy on patterns: fill one node of every type, take the one with the highest score, and
    repeat that pattern as often as the counts allow. The cost depends on the number of shapes and
    types, not on counts.
    """
    order = way.in_order(want for want in wanted if want.count > 0)
    worth = {id(want): _fair_price(want, supplies) for want in order}
    offers: dict[int, tuple[Score, Pattern]] = {}
    turns = [0] * len(supplies)
    bought: list[Bought] = []
    while total_left > 0:
        for position, supply in enumerate(supplies):
            known = offers.get(position)
            # Counts only fall, so a pattern stays what it is for as long as its own counts allow.
            if known is None or any(want.count < copies for want, copies in known[1]):
                pattern = fill(supply, order) if supply.left > 0 else ()
                value = sum(worth[id(want)] * copies for want, copies in pattern)
                offers[position] = (way.score(supply, pattern, value), pattern)
        best = max(
            (position for position, supply in enumerate(supplies) if supply.left > 0),
            key=lambda i: (bool(offers[i][1]), offers[i][0], -turns[i], -i),
            default=None,
        )
        if best is None or not offers[best][1]:
            break
        supply, pattern = supplies[best], offers[best][1]
        repeats = min(want.count // copies for want, copies in pattern)
        nodes = min(repeats, supply.left, total_left)
        if way.one_by_one:
            nodes = 1
            turns[best] = len(bought) + 1
        for want, copies in pattern:
            want.count -= copies * nodes
        supply.left -= nodes
        total_left -= nodes
        bought.append(Bought(supply, nodes, pattern))
    return bought


def _per_dollar(supply: Supply, pattern: Pattern, value: float) -> float:
    return round(value / (supply.price + NODE_CHARGE), 9)


def _per_node(supply: Supply, pattern: Pattern, value: float) -> float:
    return round(value, 9)


def _priority(supply: Supply, pattern: Pattern, value: float) -> float:
    return supply.priority


def _use(supply: Supply, pattern: Pattern, value: float) -> float:
    """Share of the node's dominant resource that the pattern uses."""
    used: dict[str, int] = {}
    for want, copies in pattern:
        for name, units in want.shape.items():
            used[name] = used.get(name, 0) + units * copies
    return round(max((n / supply.room.units(name) for name, n in used.items()), default=0.0), 9)


def _spares_gpu(supply: Supply, pattern: Pattern, value: float) -> float:
    """Whether no GPU is bought in vain: they are for work that needs them."""
    return float("GPU" not in supply.room or any("GPU" in want.shape for want, _ in pattern))


_POLICIES: dict[Expander, Callable[[Supply, Pattern, float], float]] = {
    Expander.PRICE: _per_dollar,
    Expander.FEWEST_NODES: _per_node,
    Expander.PRIORITY: _priority,
    Expander.LEAST_WASTE: _use,
}
_TIES = [_per_dollar, _spares_gpu, _per_node, _priority]
"""What decides when the expander's own policies do not."""


def buy_spread(
    wanted: Sequence[Wanted], supplies: Sequence[Supply], total_left: int, *, large: bool = False
) -> list[Bought]:
    """As `buy`, but every request gets a node of its own (STRICT_SPREAD), `large` or cheap."""
    bought: list[Bought] = []

    def rank(supply: Supply) -> tuple[float, float, int, str]:
        size = -estimated_price(supply.room) if large else 0.0
        return (size, supply.price, -supply.priority, supply.node_type)

    for want in sorted(wanted, key=lambda w: w.difficulty):
        for supply in sorted((s for s in supplies if s.fits(want)), key=rank):
            nodes = min(want.count, supply.left, total_left)
            if nodes > 0:
                want.count -= nodes
                supply.left -= nodes
                total_left -= nodes
                bought.append(Bought(supply, nodes, ((want, 1),)))
    return bought


def buy_shared(
    want: Wanted, supplies: Sequence[Supply], total_left: int, groups: int, size: int
) -> list[Bought]:
    """Nodes of one type for `groups` equal STRICT_SPREAD groups of `size` bundles; or nothing.

    A node may hold one bundle of each group. With at least `size` nodes, none of which holds more
    than `groups` bundles, dealing the groups out in turn keeps each group's bundles apart.
    """
    best: tuple[tuple[float, int, int, str], Supply, int] | None = None
    for supply in supplies:
        copies = min(want.shape.times_in(supply.room), groups) if supply.fits(want) else 0
        if not copies:
            continue
        nodes = max(size, -(-want.count // copies))
        if nodes > min(supply.left, total_left):
            continue
        cost = round(nodes * (supply.price + NODE_CHARGE), 9)
        rank = (cost, nodes, -supply.priority, supply.node_type)
        if best is None or rank < best[0]:
            best = (rank, supply, nodes)
    if best is None:
        return []
    _, supply, nodes = best
    each, more = divmod(want.count, nodes)
    fuller = [Bought(supply, more, ((want, each + 1),))] if more else []
    even = [Bought(supply, nodes - more, ((want, each),))] if each else []
    want.count = 0
    supply.left -= nodes
    return fuller + even


def _fair_price(want: Wanted, supplies: Sequence[Supply]) -> float:
    """What a request is worth: its share of the cheapest node that could hold it."""
    shares = [
        (supply.price + NODE_CHARGE) / min(want.shape.times_in(supply.room), PLENTY)
        for supply in supplies
        if supply.fits(want)
    ]
    return min(shares, default=0.0)


_ESTIMATES = {"CPU": 0.04, "GPU": 1.0}
_PER_GIB = 0.005
_PER_OTHER = 0.05


def estimated_price(room: Resources) -> float:
    """A stand-in price (USD per hour) for a type whose price nobody told; for ranking only.

    Near list prices of on-demand cloud machines: 4 cents a CPU, a dollar a GPU, half a cent a GiB.
    """
    total = 0.0
    for name in room:
        if name == "memory":
            total += _PER_GIB * room.amount(name) / 2**30
        elif name != "object_store_memory":
            total += _ESTIMATES.get(name, _PER_OTHER) * room.amount(name)
    return total
