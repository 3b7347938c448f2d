"""Ray's way of choosing new nodes, written anew: the best used node first, whatever it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tests.planner.exact import Item, Place

Score = tuple[float, ...]


def buy(items: Sequence[Item], types: Sequence[Place], most_nodes: int) -> tuple[Counter[str], int]:
    """Nodes bought of each kind, and how many requests that leaves (Ray 2.60 v2 `_try_schedule`).

    Requests are sorted hardest first; one empty node of every type is filled in that order, and
    the one with the best score is bought, of equally good types the one that was not bought for
    longest; until nothing fits or no more may be bought. `types` has one place for each node that
    may be bought.
    """
    order = sorted(items, key=_difficulty, reverse=True)
    left = [item.count for item in order]
    stock = Counter(place.kind for place in types)
    samples = {place.kind: place for place in types}
    turn = list(samples)
    bought: Counter[str] = Counter()
    while bought.total() < most_nodes:
        tries = [
            (*_filled(samples[kind], order, left), kind)
            for kind in turn
            if bought[kind] < stock[kind]
        ]
        useful = [one for one in tries if any(one[1])]
        if not useful:
            break
        _, takes, kind = max(useful, key=lambda one: one[0])
        left = [count - taken for count, taken in zip(left, takes, strict=True)]
        bought[kind] += 1
        turn.remove(kind)
        turn.append(kind)
    return bought, sum(left)


def _difficulty(item: Item) -> tuple[object, ...]:
    conditions = len(item.selectors[0]) if item.selectors else 0
    amounts = item.shape.amounts()
    return (conditions, len(amounts), sum(amounts.values()), sorted(amounts.items()))


def _filled(place: Place, order: Sequence[Item], left: Sequence[int]) -> tuple[Score, list[int]]:
    """How well one empty node would be used, and how many of each request it would take."""
    room = dict(place.room.items())
    takes = []
    for item, count in zip(order, left, strict=True):
        copies = count if item.fits(0, place) else 0
        for name, units in item.shape.items():
            copies = min(copies, room.get(name, 0) // units)
        for name, units in item.shape.items() if copies else ():
            room[name] -= units * copies
        takes.append(copies)
    taken = [item for item, copies in zip(order, takes, strict=True) if copies]
    return _score(place, taken, room), takes


def _score(place: Place, taken: Sequence[Item], room: Mapping[str, int]) -> Score:
    """Ray's utilisation score: labels, no GPU in vain, kinds of resources, least and mean use."""
    names = {name for item in taken for name in item.shape if name in place.room}
    uses = [
        units * ((units - room[name]) / units) ** 3 for name, units in place.room.items() if units
    ]
    in_vain = "GPU" in place.room and not any("GPU" in item.shape for item in taken)
    labelled = any(item.selectors for item in taken)
    return (labelled, not in_vain, len(names), min(uses), sum(uses) / len(uses))
