"""Lay the bundles of a placement group on room, as its strategy has it.

STRICT_PACK means one node for all, STRICT_SPREAD a node for each. The others are wishes: PACK takes
the nodes that hold most of the group, SPREAD gives every node one bundle, then every node a second
one. Nodes that run come before those that start, and these before new ones. Where a wish would
leave bundles without room, they go where they fit best: it never costs a node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from raytui.autoscaler.planning.bundles import Counted, conditions_of, selectors_of, total_of
from raytui.autoscaler.planning.buying import Pattern, Supply, Wanted, fill
from raytui.autoscaler.planning.packing import Bin, Packing, Placed
from raytui.model.resources import Resources
from raytui.model.state import Strategy

Parts = list[tuple[Resources, Placed]]
"""Shapes, and where so many of each went."""


@dataclass(slots=True)
class Layout:
    """Where bundles go, and what found no room."""

    parts: Parts = field(default_factory=list)
    missing: list[Wanted] = field(default_factory=list)

    @property
    def short(self) -> int:
        """How many bundles found no room."""
        return sum(want.count for want in self.missing)


def lay(
    strategy: Strategy,
    bundles: Counted,
    room: Packing,
    taken: frozenset[str] = frozenset(),
    *,
    wishes: bool = True,
) -> tuple[Layout, Packing]:
    """Where the bundles go, and the room that leaves; `room` itself stays as it is.

    `taken` are nodes that hold other bundles of the group already. Without `wishes` the bundles of
    PACK and SPREAD go where they fit best.
    """
    tries = []
    for way in _WAYS[strategy] if wishes else _WAYS[strategy][-1:]:
        trial = room.copy()
        layout = way(bundles, trial, taken)
        if not layout.short:
            return layout, trial
        tries.append((layout, trial))
    return min(tries, key=lambda one: one[0].short)


def as_one(bundles: Counted) -> Wanted:
    """All bundles together, as one request for a node that satisfies all their selectors."""
    whole = total_of(bundle.resources * count for bundle, count in bundles)
    return Wanted(whole, 1, conditions_of(bundle for bundle, _ in bundles))


def _on_one_node(bundles: Counted, room: Packing, taken: frozenset[str]) -> Layout:
    if not bundles:
        return Layout()
    want = as_one(bundles)
    if taken:
        found = [part for i in sorted(taken) if (part := room.place_on(i, want.shape, 1))][:1]
    else:
        found = room.place(want.shape, 1, want.selectors)
    return Layout([(want.shape, part) for part in found], [] if found else [want])


def _on_few_nodes(bundles: Counted, room: Packing, taken: frozenset[str]) -> Layout:
    """Ray's order: the hardest bundle's node takes of the others what it can.

    Where nodes take as much, those that hold bundles of the group already come first.
    """
    wanted = _wanted(bundles)
    layout = Layout(missing=wanted)
    while any(want.count for want in wanted):
        hardest = next(want for want in wanted if want.count)
        fitting = room.choices(hardest.shape, hardest.selectors)
        if not fitting:
            break
        fitting.sort(key=lambda b: _rank(b, wanted, hardest, taken))
        best, pattern = _takes_most(fitting, wanted)
        # Counts only fall, so alike nodes are the best choice for as long as these allow.
        nodes = min(want.count // copies for want, copies in pattern)
        near = [node_id for node_id in best.ids if node_id in taken] if taken else []
        ids = (near or best.ids)[:nodes]
        parts = room.place_each(best, ((want.shape, copies) for want, copies in pattern), ids)
        for (want, _), part in zip(pattern, parts, strict=True):
            _served(layout, want, [part])
    return _without_served(layout)


def _takes_most(ranked: Iterable[Bin], wanted: Sequence[Wanted]) -> tuple[Bin, Pattern]:
    """The bin a node of which takes most, the first of those, and what that is."""
    total = sum(want.count for want in wanted)
    best: tuple[int, Bin, Pattern] | None = None
    for bin_ in ranked:
        node = Supply(bin_.node_type, Resources(bin_.room), bin_.labels, 0.0, 1)
        pattern = fill(node, wanted)
        here = sum(copies for _, copies in pattern)
        if best is None or here > best[0]:
            best = (here, bin_, pattern)
        if here == total:
            break
    if best is None:
        raise ValueError("no node to choose from")
    return best[1], best[2]


def _rank(
    bin_: Bin, wanted: Sequence[Wanted], hardest: Wanted, taken: frozenset[str]
) -> tuple[object, ...]:
    """Sort key of nodes: in use by the group, soonest, no GPUs in vain, tightest."""
    return (
        not taken or taken.isdisjoint(bin_.ids),
        bin_.stage,
        bin_.has_gpu and not any("GPU" in want.shape for want in wanted),
        bin_.copies(dict(hardest.needs)),
        bin_.node_type,
        bin_.ids[0],
    )


def _evenly(bundles: Counted, room: Packing, taken: frozenset[str]) -> Layout:
    """A bundle a node; then, while some are left, a second one, and so on."""
    wanted = _wanted(bundles)
    layout = Layout(missing=wanted)
    placed = -1
    while placed:
        placed = 0
        for want in wanted:
            parts = room.place(
                want.shape, want.count, want.selectors, one_per_node=True, taken=taken
            )
            taken |= {node_id for part in parts for node_id in part.ids}
            placed += _served(layout, want, parts)
        taken = frozenset()
    return _without_served(layout)


def _tightly(bundles: Counted, room: Packing, taken: frozenset[str]) -> Layout:
    wanted = _wanted(bundles)
    layout = Layout(missing=wanted)
    for want in wanted:
        _served(layout, want, room.place(want.shape, want.count, want.selectors))
    return _without_served(layout)


def _apart(bundles: Counted, room: Packing, taken: frozenset[str]) -> Layout:
    """A node for each, for as many as there can be."""
    wanted = _wanted(bundles)
    layout = Layout(missing=wanted)
    for bin_, guests in _matched(wanted, room, taken):
        free = [node_id for node_id in bin_.ids if node_id not in taken]
        for want, count in guests:
            ids, free = free[:count], free[count:]
            _served(layout, want, room.place_each(bin_, [(want.shape, 1)], ids))
    return _without_served(layout)


def _matched(
    wanted: Sequence[Wanted], room: Packing, taken: frozenset[str]
) -> list[tuple[Bin, list[tuple[Wanted, int]]]]:
    """Which bins take how many of which bundles, one a node.

    A bundle makes way for another where it has another choice.
    """
    choices = [room.choices(want.shape, want.selectors, apart=True) for want in wanted]
    bins = {id(bin_): bin_ for fitting in choices for bin_ in fitting}
    free = {key: len(b.ids) - len(taken.intersection(b.ids)) for key, b in bins.items()}
    guests: dict[int, Counter[int]] = {key: Counter() for key in bins}

    def settle(index: int, count: int, seen: set[int]) -> int:
        """Find nodes for `count` bundles of a kind; for how many there are some."""
        found = 0
        for bin_ in choices[index]:
            key = id(bin_)
            if found == count or key in seen:
                continue
            seen.add(key)
            here = min(count - found, free[key])
            for other in [other for other in guests[key] if other != index]:
                if found + here < count:
                    moved = settle(other, min(count - found - here, guests[key][other]), seen)
                    guests[key][other] -= moved
                    free[key] += moved
                    here += moved
            guests[key][index] += here
            free[key] -= here
            found += here
        return found

    for index, want in enumerate(wanted):
        left = want.count
        while left and (found := settle(index, left, set())):
            left -= found
    return [
        (bins[key], [(wanted[i], count) for i, count in taking.items() if count])
        for key, taking in guests.items()
        if taking
    ]


def _wanted(bundles: Counted) -> list[Wanted]:
    return [Wanted(bundle.resources, n, selectors_of(bundle)) for bundle, n in bundles]


def _served(layout: Layout, want: Wanted, parts: Sequence[Placed]) -> int:
    """Note where a request went; how many of it did."""
    layout.parts += [(want.shape, part) for part in parts]
    served = sum(part.count for part in parts)
    want.count -= served
    return served


def _without_served(layout: Layout) -> Layout:
    return Layout(layout.parts, [want for want in layout.missing if want.count])


_Way = Callable[[Counted, Packing, frozenset[str]], Layout]

_WAYS: dict[Strategy, tuple[_Way, ...]] = {
    Strategy.STRICT_PACK: (_on_one_node,),
    Strategy.PACK: (_on_few_nodes, _tightly),
    Strategy.SPREAD: (_evenly, _tightly),
    Strategy.STRICT_SPREAD: (_apart,),
}
"""What is tried, until a way leaves nothing out; what must be comes last."""
