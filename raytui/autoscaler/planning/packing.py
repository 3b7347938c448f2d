"""Bin packing on counts: alike requests and alike nodes are handled together, never one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from raytui.model.resources import Resources
from raytui.model.state import LabelSelector

Units = Mapping[str, int]

PLENTY = 1_000_000
"""How often a request of nothing fits on a node."""


class Stage(IntEnum):
    """How soon the room of a node can be used; lower is sooner."""

    RUNNING = 0
    STARTING = 1
    NEW = 2


@dataclass(slots=True)
class Bin:
    """Nodes that are alike in everything that the requests at hand can tell apart."""

    stage: Stage
    node_type: str
    room: dict[str, int]
    """Units left on each of the nodes."""
    labels: Mapping[str, str]
    ids: list[str]
    """The nodes; their number is the bin's size."""
    has_gpu: bool = False
    used: bool = False
    """True when something was placed on these nodes in this round."""

    @property
    def key(self) -> tuple[object, ...]:
        """What makes nodes alike."""
        return (
            self.stage,
            self.node_type,
            frozenset(self.room.items()),
            frozenset(self.labels.items()),
            self.has_gpu,
            self.used,
        )

    def copies(self, shape: Units) -> int:
        """How many requests of `shape` fit on one of the nodes."""
        room = self.room
        most = PLENTY
        for name, units in shape.items():
            if units > 0:
                here = room.get(name, 0) // units
                if here < most:
                    most = here
                    if not most:
                        break
        return most

    def without(self, shape: Units, copies: int, ids: list[str]) -> Bin:
        """The nodes `ids` of this bin after each took `copies` of `shape`."""
        room = dict(self.room)
        for name, units in shape.items():
            room[name] = room.get(name, 0) - units * copies
        return Bin(self.stage, self.node_type, room, self.labels, ids, self.has_gpu, used=True)


@dataclass(slots=True)
class Placed:
    """So many requests went to nodes of one type at one stage."""

    stage: Stage
    node_type: str
    count: int
    ids: list[str] = field(default_factory=list)
    each: int = 1
    """How many went to each of the nodes; the last may have got fewer."""

    def on_each(self) -> Iterator[tuple[str, int]]:
        """The nodes, and how many went to each."""
        left = self.count
        for node_id in self.ids:
            copies = min(self.each, left)
            left -= copies
            yield node_id, copies


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels satisfies every condition of the selector."""
    return all(
        (labels.get(key) in values) == (operator == "in") for key, operator, values in selector
    )


class Packing:
    """A working picture of all room, changed by placing requests on it.

    Nodes are grouped by what the requests mention (`names` of resources, `keys` of labels), so
    that a thousand alike nodes cost as much as one.
    """

    def __init__(self, names: Iterable[str], keys: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._keys = frozenset(keys)
        self._bins: dict[tuple[object, ...], Bin] = {}
        self._own: set[tuple[object, ...]] = set()
        """Keys of bins that no copy shares: only these may grow in place."""
        self._places: dict[str, tuple[object, ...]] | None = None
        """In which bin each node is, by its key; found out when one is first asked for."""

    def copy(self) -> Packing:
        """An independent picture to try things on; cheap, as bins are shared until they change."""
        twin = Packing(self._names, self._keys)
        twin._bins = dict(self._bins)
        self._own = set()
        return twin

    def parted(self, stage: Stage) -> tuple[Packing, Packing]:
        """Two independent pictures: of the nodes at that stage, and of all others."""
        these, others = self.copy(), self.copy()
        these._bins = {key: b for key, b in self._bins.items() if b.stage is stage}
        others._bins = {key: b for key, b in self._bins.items() if b.stage is not stage}
        return these, others

    def join(self, other: Packing) -> None:
        """Add all nodes of another picture."""
        for bin_ in other._bins.values():
            self._put(replace(bin_, ids=list(bin_.ids)))

    def add(
        self,
        stage: Stage,
        node_type: str,
        room: Resources,
        labels: Mapping[str, str],
        ids: Sequence[str],
        *,
        has_gpu: bool,
    ) -> None:
        """Add alike nodes."""
        # Ray reports less than nothing for a moment when a node is used beyond its resources.
        kept = {n: units for n, units in room.items() if n in self._names and units > 0}
        seen = {key: value for key, value in labels.items() if key in self._keys}
        self._put(Bin(stage, node_type, kept, seen, list(ids), has_gpu))

    def _put(self, new: Bin) -> None:
        if not new.ids:
            return
        key = new.key
        if self._places is not None:
            self._places.update(dict.fromkeys(new.ids, key))
        there = self._bins.get(key)
        if there is not None and key in self._own:
            there.ids.extend(new.ids)
            return
        self._own.add(key)
        self._bins[key] = new if there is None else replace(there, ids=[*there.ids, *new.ids])

    def bins(self, selector: LabelSelector = ()) -> list[Bin]:
        """All bins whose nodes satisfy the selector."""
        if not selector:
            return list(self._bins.values())
        return [b for b in self._bins.values() if matches(selector, b.labels)]

    def place(
        self,
        shape: Resources,
        count: int,
        selectors: Sequence[LabelSelector] = (),
        *,
        one_per_node: bool = False,
        taken: frozenset[str] = frozenset(),
    ) -> list[Placed]:
        """Place up to `count` requests on existing room, soonest and tightest room first.

        `one_per_node` puts at most one on a node, and none on a node in `taken`.
        """
        units = dict(shape.items())
        wants_gpu = "GPU" in shape
        placed: list[Placed] = []
        for selector in selectors or ((),):
            for bin_ in self._in_order(units, selector, wants_gpu, one_per_node):
                if count <= 0:
                    return placed
                part = self._place_on(bin_, units, count, one_per_node, taken)
                if part is not None:
                    placed.append(part)
                    count -= part.count
        return placed

    def choices(
        self, shape: Resources, selectors: Sequence[LabelSelector] = (), *, apart: bool = False
    ) -> list[Bin]:
        """Bins with room for a request, in the order in which `place` fills them."""
        units = dict(shape.items())
        chosen: list[Bin] = []
        for selector in selectors or ((),):
            ranked = self._in_order(units, selector, "GPU" in shape, apart)
            chosen += [b for b in ranked if not any(b is there for there in chosen)]
        return chosen

    def _in_order(
        self, units: Units, selector: LabelSelector, wants_gpu: bool, apart: bool
    ) -> list[Bin]:
        """Candidate bins: running before starting, GPU-less first for GPU-less work, tightest.

        Requests that must be `apart` go to the emptiest nodes, so that they spread evenly.
        """
        fitting = [(b, b.copies(units)) for b in self.bins(selector)]
        ranked = sorted(
            (
                (b.stage, b.has_gpu and not wants_gpu, -copies if apart else copies, b.node_type),
                b.ids[0],
                b,
            )
            for b, copies in fitting
            if copies
        )
        return [b for _, _, b in ranked]

    def place_on(self, node_id: str, shape: Resources, count: int) -> Placed | None:
        """Place up to `count` requests on one node; None when it has no room for any."""
        bin_ = self._bin_of(node_id)
        if bin_ is None:
            return None
        units = dict(shape.items())
        most = bin_.copies(units)
        copies = count if most >= PLENTY else min(count, most)
        if copies <= 0:
            return None
        if most < PLENTY:
            self._change(bin_, node_id, bin_.without(units, copies, [node_id]))
        return Placed(bin_.stage, bin_.node_type, copies, [node_id], copies)

    def place_each(
        self, bin_: Bin, pattern: Iterable[tuple[Resources, int]], ids: Sequence[str]
    ) -> list[Placed]:
        """Place so many of each shape on each of these nodes, which are the bin's and have room."""
        there = self._bins.pop(bin_.key)
        filled = replace(there, ids=list(ids))
        placed = []
        for shape, copies in pattern:
            filled = filled.without(dict(shape.items()), copies, list(ids))
            part = Placed(there.stage, there.node_type, copies * len(ids), list(ids), copies)
            placed.append(part)
        gone = set(ids)
        self._put(filled)
        self._put(replace(there, ids=[i for i in there.ids if i not in gone]))
        return placed

    def _bin_of(self, node_id: str) -> Bin | None:
        if self._places is None:
            self._places = {i: key for key, b in self._bins.items() for i in b.ids}
        key = self._places.get(node_id)
        return None if key is None else self._bins[key]

    def _change(self, bin_: Bin, node_id: str, changed: Bin) -> None:
        """Take a node out of its bin, as `changed`."""
        key, others = bin_.key, bin_.ids.copy()
        others.remove(node_id)
        if others:
            self._bins[key] = replace(bin_, ids=others)
            self._own.add(key)
        else:
            del self._bins[key]
        self._put(changed)

    def give_back(self, shape: Resources, part: Placed) -> None:
        """Take requests off the nodes that they were placed on."""
        units = dict(shape.items())
        for node_id, copies in part.on_each():
            bin_ = self._bin_of(node_id)
            if bin_ is not None:
                self._change(bin_, node_id, bin_.without(units, -copies, [node_id]))

    def _place_on(
        self,
        bin_: Bin,
        units: Units,
        count: int,
        one_per_node: bool,
        taken: frozenset[str],
    ) -> Placed | None:
        key = bin_.key
        bin_ = self._bins[key]  # it may have grown since the caller looked
        copies = 1 if one_per_node else bin_.copies(units)
        ids = [i for i in bin_.ids if i not in taken] if taken else bin_.ids
        if not ids:
            return None
        if copies >= PLENTY:
            return Placed(bin_.stage, bin_.node_type, count, ids[:1], count)
        full, rest = divmod(min(count, copies * len(ids)), copies)
        filled, partly = ids[:full], ids[full : full + 1] if rest else []
        nodes = [*filled, *partly]
        del self._bins[key]
        if filled:
            self._put(bin_.without(units, copies, filled))
        if partly:
            self._put(bin_.without(units, rest, partly))
        if len(nodes) < len(bin_.ids):
            touched = set(nodes)
            self._put(replace(bin_, ids=[i for i in bin_.ids if i not in touched]))
        return Placed(bin_.stage, bin_.node_type, full * copies + rest, nodes, copies)
