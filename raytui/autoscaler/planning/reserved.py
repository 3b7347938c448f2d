"""Room on nodes on their way that is kept for the placement groups they were launched for.

Without it a second plan would lay the same groups otherwise, find too little room, and buy more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from raytui.autoscaler.planning.bundles import Counted, counted, selectors_of, total_of
from raytui.autoscaler.planning.buying import Wanted
from raytui.autoscaler.planning.capacity import meant_for
from raytui.autoscaler.planning.laying import Parts, as_one
from raytui.autoscaler.planning.packing import Packing
from raytui.autoscaler.planning.placing import Placing
from raytui.model.resources import Resources
from raytui.model.state import Gang, Share, Strategy


@dataclass(slots=True)
class Group:
    """A placement group, what is kept for it, and what of it is still to be placed."""

    gang: Gang
    kind: str
    """What makes placement groups equal to planning: all but their ids."""
    key: str
    """By which nodes know what they are meant for."""
    ways: tuple[Counted, ...]
    """All ways to place it, the preferred one first, each with all of its bundles."""
    rest: Counted
    strategy: Strategy
    way: int = 0
    """Of which of the ways the rest is."""
    kept: Parts = field(default_factory=list)
    taken: frozenset[str] = frozenset()
    """Nodes that hold bundles of it already."""

    @property
    def bundles(self) -> Counted:
        """All bundles of the way that it goes."""
        return self.ways[self.way]

    @property
    def size(self) -> int:
        """How many bundles these are."""
        return sum(count for _, count in self.bundles)

    @property
    def total(self) -> Resources:
        """What all of them take together."""
        return total_of(bundle.resources * count for bundle, count in self.bundles)

    @property
    def label(self) -> str:
        """How people name it: `PG 4f2a10 STRICT_SPREAD 4 × {GPU: 1}`."""
        shapes: Counter[str] = Counter()
        for bundle, count in self.bundles:
            shapes[bundle.resources.text()] += count
        text = " + ".join(f"{count} × {shape}" for shape, count in sorted(shapes.items()))
        name = f"PG {self.gang.gang_id[:6]} {self.gang.strategy.value} {text}"
        return name.replace("  ", " ")

    def by(self, way: int) -> Group:
        """The same group, to go one of its ways, with nothing kept for it."""
        return replace(self, way=way, rest=self.ways[way], kept=[])

    def tries(self) -> list[Group]:
        """The group by each of its ways in turn; if room is kept for one, by that one alone."""
        return [self] if self.kept else [self.by(way) for way in range(len(self.ways))]

    def release(self, room: Packing) -> Group:
        """The group with nothing kept for it; the room is free for others."""
        for shape, part in self.kept:
            room.give_back(shape, part)
        return self.by(0)

    @property
    def avoided(self) -> frozenset[str]:
        """Nodes with bundles of the group on them or kept for them."""
        return self.taken.union(*(part.ids for _, part in self.kept))


def groups_of(placing: Placing, gangs: Iterable[Gang]) -> list[Group]:
    """The placement groups, the hardest first, with room on their own nodes set aside for them."""
    waiting = {group.key: group for group in _keyed(gangs)}
    promised: dict[str, list[tuple[str, Share]]] = {}
    for member_id, member in placing.capacity.staying.items() if waiting else ():
        for share in meant_for(member):
            if share.gang in waiting:
                promised.setdefault(share.gang, []).append((member_id, share))
    for key, group in waiting.items():
        group.taken = _hosts(placing, group.gang)
        if key in promised:
            waiting[key] = _with_promised(placing, group, promised[key])
    return list(waiting.values())


_CHOICE = {Strategy.STRICT_PACK: 0, Strategy.STRICT_SPREAD: 0, Strategy.PACK: 1, Strategy.SPREAD: 1}
"""Groups that must have it so come before those that merely wish it, as in Ray."""


def _hardest(group: Group) -> tuple[int, int, str, str]:
    gang = group.gang
    return (_CHOICE[gang.strategy], -group.size, group.kind, gang.gang_id)


def _keyed(gangs: Iterable[Gang]) -> Iterator[Group]:
    """The groups, the hardest first; without an id the kind is the key."""
    seen: Counter[str] = Counter()
    for group in sorted(map(_group_of, gangs), key=_hardest):
        name = group.gang.gang_id or group.kind
        yield replace(group, key=f"{name} #{seen[name]}" if seen[name] else name)
        seen[name] += 1


def _group_of(gang: Gang) -> Group:
    ways = tuple(counted((bundle, 1) for bundle in way) for way in gang.ways)
    texts = [[(b.resources.text(), b.selector, count) for b, count in way] for way in ways]
    kind = f"{gang.strategy.value} {texts} {sorted(gang.placed_on)}"
    return Group(gang, kind, "", ways, ways[0], gang.strategy)


def _hosts(placing: Placing, gang: Gang) -> frozenset[str]:
    """Members that hold bundles of the group."""
    if not gang.placed_on:
        return frozenset()
    members = placing.capacity.members.values()
    return frozenset(m.id for m in members if m.node and m.node.node_id in gang.placed_on)


def _with_promised(placing: Placing, group: Group, shares: list[tuple[str, Share]]) -> Group:
    """The group by the way that these shares of nodes were bought for, with its room kept.

    A share does not tell the way: it is the one of which the least is left to place.
    """
    tries = []
    for way in range(len(group.ways)):
        one, room = group.by(way), placing.room.copy()
        for member_id, share in shares:
            _keep(one, member_id, share, placing, room)
        tries.append((one, room))
    best, placing.room = min(tries, key=lambda found: sum(count for _, count in found[0].rest))
    return best


def _keep(group: Group, member_id: str, share: Share, placing: Placing, room: Packing) -> None:
    """Set room on a node aside for bundles of a group, as far as it has such."""
    labels = placing.capacity.labels_at(member_id)
    together = group.gang.strategy is Strategy.STRICT_PACK
    left = share.count
    rest: Counted = []
    for want, bundles in _wanted_together(group) if together else _wanted_singly(group):
        fits = left and want.shape == share.resources and want.accepts(labels)
        part = room.place_on(member_id, want.shape, min(want.count, left)) if fits else None
        if part is not None:
            group.kept.append((want.shape, part))
            left -= part.count
            bundles = [] if together else [(bundles[0][0], want.count - part.count)]
        rest += [(bundle, count) for bundle, count in bundles if count]
    group.rest = rest


def _wanted_together(group: Group) -> list[tuple[Wanted, Counted]]:
    return [(as_one(group.rest), group.rest)] if group.rest else []


def _wanted_singly(group: Group) -> list[tuple[Wanted, Counted]]:
    return [(Wanted(b.resources, n, selectors_of(b)), [(b, n)]) for b, n in group.rest]
