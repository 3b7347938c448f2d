"""Ray's own way of placing: node by node, the best used one first, whatever it costs.

Tried beside ours where limits bind or a few nodes are all there is, so that no plan is worse than
Ray's. The order and the score are those of Ray 2.60 (`_try_schedule` and `_compute_score` of
`ray/autoscaler/v2/scheduler.py`), on counts of shapes and on classes of alike nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from raytui.autoscaler.planning.buying import (
    Pattern,
    Score,
    Supply,
    Wanted,
    Way,
    fill,
    fill_there,
    there,
)
from raytui.autoscaler.planning.packing import Bin, Packing, Placed, Stage, matches
from raytui.model.resources import Resources

MOST_STEPS = 200_000
"""How many fits of a request on a node are looked at on existing room, at the most."""
MOST_NODES = 160
"""New nodes that are bought Ray's way; its choices are made one by one."""


def in_order(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Ray's order: selective ones first, then many kinds of resources, then large amounts."""
    return sorted(wanted, key=_difficulty, reverse=True)


def _difficulty(want: Wanted) -> tuple[object, ...]:
    conditions = len(want.selectors[0]) if want.selectors else 0
    amounts = want.shape.amounts()
    return (conditions, len(amounts), sum(amounts.values()), sorted(amounts.items()))


def score(supply: Supply, pattern: Pattern, value: float = 0.0) -> Score:
    """How well an empty node would be used; what that is worth is not asked."""
    return _score(supply, pattern, supply.room)


WAY = Way(in_order, score, one_by_one=True)
"""For choosing new nodes."""


def is_affordable(room: Packing, wanted: Sequence[Wanted]) -> bool:
    """Whether there are few enough nodes with room left: for each, all kinds are looked at."""
    sizes = [len(bin_.ids) for bin_ in room.bins() if any(bin_.room.values())]
    return sum(sizes) * len(sizes) * len(wanted) <= MOST_STEPS


def place(
    room: Packing, wanted: Sequence[Wanted], room_of: Callable[[str], Resources]
) -> list[tuple[Wanted, Placed]]:
    """Place requests on existing room; takes from `wanted[].count`.

    Running nodes before starting ones before new ones, as ours does. `room_of` tells what an empty
    node of a type offers.
    """
    order = in_order(wanted)
    placed: list[tuple[Wanted, Placed]] = []
    for stage in Stage:
        while True:
            tries = [_try(b, order, room_of) for b in room.bins() if b.stage is stage]
            useful = [one for one in tries if one[1]]
            if not useful:
                break
            _, pattern, node_id = max(useful, key=lambda one: one[0])
            placed += fill_there(room, node_id, pattern)
    return placed


def _try(
    bin_: Bin, order: Sequence[Wanted], room_of: Callable[[str], Resources]
) -> tuple[Score, Pattern, str]:
    """What one of the bin's nodes would take, and how well it would be used then."""
    node = there(bin_)
    pattern = fill(node, [want for want in order if want.count])
    total = room_of(bin_.node_type) or node.room
    return _score(node, pattern, total), pattern, bin_.ids[0]


def _score(node: Supply, pattern: Pattern, total: Resources) -> Score:
    """Ray's utilisation score of a node that has `node.room` left of `total`.

    In this order: how early in its list a request's label selector is met, no GPU used in vain,
    kinds of resources in use, the least use of a resource and the mean one. A use is the amount
    times its share cubed, so that large nodes win; price is not in it.
    """
    left = dict(node.room.items())
    for want, copies in pattern:
        for name, units in want.needs:
            left[name] -= units * copies
    names = {name for want, _ in pattern for name, _ in want.needs if name in total}
    uses = [
        units * (max(0, units - left.get(name, units)) / units) ** 3
        for name, units in total.items()
    ]
    in_vain = "GPU" in total and not any("GPU" in want.shape for want, _ in pattern)
    least, mean = (min(uses), sum(uses) / len(uses)) if uses else (0.0, 0.0)
    return (_met(node, pattern), float(not in_vain), float(len(names)), least, mean)


def _met(node: Supply, pattern: Pattern) -> float:
    """The rank of the label selector that the first selective request meets here; 0 for none."""
    for want, _ in pattern:
        for index, selector in enumerate(want.selectors):
            if matches(selector, node.labels):
                return float(len(want.selectors) - index)
    return 0.0
