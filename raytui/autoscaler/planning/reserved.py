"""Room on nodes on their way that is kept for the placement groups they were launched for.

Without it a second plan would lay the same groups otherwise, find too little room, and buy more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from raytui.autoscaler.planning.bundles import Counted, counted, selectors_of
from raytui.autoscaler.planning.buying import Wanted
from raytui.autoscaler.planning.capacity import meant_for
from raytui.autoscaler.planning.laying import Parts, as_one
from raytui.autoscaler.planning.packing import Packing
from raytui.autoscaler.planning.placing import Placing
from raytui.model.state import Gang, Share, Strategy


@dataclass(slots=True)
class Group:
    """A placement group, what is kept for it, and what of it is still to be placed."""

    gang: Gang
    kind: str
    """What makes placement groups equal to planning: all but their ids."""
    key: str
    """By which nodes know what they are meant for."""
    rest: Counted
    kept: Parts = field(default_factory=list)
    taken: frozenset[str] = frozenset()
    """Nodes that hold bundles of it already."""

    def release(self, room: Packing) -> Group:
        """The group with nothing kept for it; the room is free for others."""
        for shape, part in self.kept:
            room.give_back(shape, part)
        return Group(self.gang, self.kind, self.key, bundles_of(self.gang), taken=self.taken)

    @property
    def avoided(self) -> frozenset[str]:
        """Nodes with bundles of the group on them or kept for them."""
        return self.taken.union(*(part.ids for _, part in self.kept))


def groups_of(placing: Placing, gangs: Iterable[Gang]) -> list[Group]:
    """The placement groups, the hardest first, with room on their own nodes set aside for them."""
    waiting = [
        Group(gang, kind, key, bundles_of(gang), taken=_hosts(placing, gang))
        for kind, key, gang in _keyed(gangs)
    ]
    by_key = {group.key: group for group in waiting}
    for member_id, member in placing.capacity.staying.items() if waiting else ():
        for share in meant_for(member):
            if share.gang in by_key:
                _keep(by_key[share.gang], member_id, share, placing)
    return waiting


def bundles_of(gang: Gang) -> Counted:
    """A group's bundles, alike ones together."""
    return counted((bundle, 1) for bundle in gang.bundles)


def _kind_of(gang: Gang) -> str:
    shapes = [(b.resources.text(), b.selector, count) for b, count in bundles_of(gang)]
    return f"{gang.strategy.value} {shapes} {sorted(gang.placed_on)}"


_CHOICE = {Strategy.STRICT_PACK: 0, Strategy.STRICT_SPREAD: 0, Strategy.PACK: 1, Strategy.SPREAD: 1}
"""Groups that must have it so come before those that merely wish it, as in Ray."""


def _hardest(known: tuple[str, Gang]) -> tuple[int, int, str, str]:
    kind, gang = known
    return (_CHOICE[gang.strategy], -len(gang.bundles), kind, gang.gang_id)


def _keyed(gangs: Iterable[Gang]) -> Iterator[tuple[str, str, Gang]]:
    """Kind, key and group, the hardest first; without an id the kind is the key."""
    seen: Counter[str] = Counter()
    for kind, gang in sorted(((_kind_of(gang), gang) for gang in gangs), key=_hardest):
        name = gang.gang_id or kind
        yield kind, (f"{name} #{seen[name]}" if seen[name] else name), gang
        seen[name] += 1


def _hosts(placing: Placing, gang: Gang) -> frozenset[str]:
    """Members that hold bundles of the group."""
    if not gang.placed_on:
        return frozenset()
    members = placing.capacity.members.values()
    return frozenset(m.id for m in members if m.node and m.node.node_id in gang.placed_on)


def _keep(group: Group, member_id: str, share: Share, placing: Placing) -> None:
    """Set room on a node aside for bundles of a group, as far as it has such."""
    labels = placing.capacity.labels_at(member_id)
    together = group.gang.strategy is Strategy.STRICT_PACK
    left = share.count
    rest: Counted = []
    for want, bundles in _wanted_together(group) if together else _wanted_singly(group):
        fits = left and want.shape == share.resources and want.accepts(labels)
        part = placing.room.place_on(member_id, want.shape, min(want.count, left)) if fits else None
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
