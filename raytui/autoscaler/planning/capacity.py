"""The room there is and the room there could be: nodes, node types and their limits."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from raytui.autoscaler.planning.avoided import Avoided, refuses
from raytui.autoscaler.planning.buying import Supply, estimated_price
from raytui.autoscaler.planning.ceilings import with_ceilings
from raytui.autoscaler.planning.money import fleet_price, limit_to
from raytui.autoscaler.planning.orphans import is_forlorn
from raytui.autoscaler.planning.packing import Packing, Stage
from raytui.autoscaler.planning.taken_back import to_be_spared
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.plan import LaunchFailure, Memory
from raytui.model.resources import EMPTY, UNITS_PER_ONE, Resources
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import (
    ClusterState,
    Holding,
    Member,
    Node,
    NodeStatus,
)

UPSCALING_FLOOR = 5
"""Ray lets this many nodes of a type start at a time however small the cluster is."""

NODE_GROUP_LABEL = "ray.io/node-group"
"""Ray labels every node with the name of its node type."""


_RUNNING = InstanceStatus.RUNNING
"""Asked for first where every member is looked at: `in` has to hash an enum, `is` has not."""

_GOING = (NodeStatus.DRAINING, NodeStatus.DEAD)

IMPLICIT = "node:__internal_implicit_resource_"
"""Every node has one of each resource of this prefix, though none lists it (Ray Serve spreads
replicas with them)."""


class Capacity:
    """Members sorted by what they are good for, and the limits that new ones must keep."""

    def __init__(self, state: ClusterState, spec: ClusterSpec, memory: Memory, now: float) -> None:
        self.spec = spec = with_ceilings(spec, memory.ceilings)
        self.ceilings = memory.ceilings
        # Everything is looked at in an order of its own, so that the order of the input is not.
        by_id = {member.id: member for member in state.members}
        self.members = {member_id: by_id[member_id] for member_id in sorted(by_id)}
        self.worker_types = tuple(sorted(spec.worker_types, key=lambda kind: kind.name))
        self.draining = {drain.instance_id: drain for drain in memory.drains}
        self.at_risk = to_be_spared(self.members.values(), spec, memory, now)
        """Running nodes that leave as soon as they can be spared: their room is not offered."""
        self.avoided = Avoided(memory.failures, now)
        self._best: dict[str, Offering] = {}
        """By node type, looked for once: there may be hundreds of ways to buy one."""
        self._gone = {
            member_id
            for member_id, member in self.members.items()
            if member.instance is not None
            and member.instance.orphan
            and is_forlorn(member.instance, memory, now)
        }
        self._forlorn = Counter(self.members[member_id].node_type for member_id in self._gone)
        self._asked = bool(state.demands or state.gangs or state.constraints)
        self._names, self._keys = _mentioned(state)
        self._implicit = {name: UNITS_PER_ONE for name in self._names if name.startswith(IMPLICIT)}
        self._count()
        self.planned: Counter[str] = Counter()
        """Nodes of each type that this plan launches."""
        self._budget = spec.budget_per_hour
        self._spent = 0.0 if self._budget is None else fleet_price(self.members.values(), spec)

    def copy(self) -> Capacity:
        """The same, with launches of its own planned from here on."""
        twin = copy.copy(self)
        twin.planned = self.planned.copy()
        return twin

    def without_budget(self) -> Capacity:
        """The same where money does not matter."""
        twin = self.copy()
        twin._budget = None
        return twin

    @property
    def spending(self) -> float:
        """USD per hour of the fleet, the planned nodes included; 0 when there is no budget."""
        if self._budget is None:
            return 0.0
        return self._spent + sum(n * self.price(name) for name, n in self.planned.items())

    def money_left(self) -> float:
        """USD per hour that may still be added; infinite when there is no budget."""
        return float("inf") if self._budget is None else max(0.0, self._budget - self.spending)

    def price(self, node_type: str) -> float:
        """USD per hour of one more node of a type, known or estimated."""
        known = self.offering(node_type).price_per_hour
        resources = self.spec.node_types[node_type].resources
        return estimated_price(resources) if known is None else known

    def _count(self) -> None:
        self.staying: dict[str, Member] = {}
        """Workers of ours that count against limits: not leaving, not given up by this plan."""
        self._counts: Counter[str] = Counter()
        self._starting: Counter[str] = Counter()
        leaving = self._gone | self.draining.keys()
        for member_id, member in self.members.items():
            instance = member.instance
            if instance is None or member_id in leaving or member.is_head:
                continue
            if instance.status is not _RUNNING:
                if instance.status not in STARTING:
                    continue
                self._starting[instance.node_type] += 1
            self._counts[instance.node_type] += 1
            self.staying[member_id] = member

    def give_up(self, instance_ids: Iterable[str]) -> None:
        """Treat these as gone: capacity that is going away holds no demand."""
        before = len(self._gone)
        self._gone.update(instance_ids)
        if len(self._gone) > before:
            self._count()

    def room_of(self, node_type: str) -> Resources:
        """What an empty node of the type offers."""
        return self._rooms.get(node_type, EMPTY)

    @cached_property
    def _rooms(self) -> dict[str, Resources]:
        """Each type's own resources, and what its running nodes have besides (memory, mostly)."""
        seen: dict[str, dict[str, int]] = {name: {} for name in self.spec.node_types}
        for member in self.members.values():
            least = seen.get(member.node_type)
            if least is None or member.node is None or member.is_head:
                continue
            for name, units in member.node.total.items():
                if units < least.get(name, units + 1) and not name.startswith("node:"):
                    least[name] = units
        return {
            name: Resources({**self._implicit, **seen[name], **dict(kind.resources.items())})
            for name, kind in self.spec.node_types.items()
        }

    def labels_of(self, node_type: str) -> Mapping[str, str]:
        """The labels that a new node of the type will carry."""
        return {NODE_GROUP_LABEL: node_type, **self.spec.node_types[node_type].labels}

    def labels_at(self, member_id: str) -> Mapping[str, str]:
        """The labels of a member, which it may only get when it runs."""
        member = self.members[member_id]
        if member.node is not None:
            return member.node.labels
        known = member.node_type in self.spec.node_types
        return self.labels_of(member.node_type) if known else {}

    def packing(self, *, as_if_idle: bool = False) -> Packing:
        """All room of running and starting nodes; with `as_if_idle` their totals.

        Empty when nothing waits: nobody asks for room then.
        """
        packing = Packing(self._names, self._keys)
        alike: dict[tuple[object, ...], tuple[str, Node, list[str]]] = {}
        starting: dict[str, list[str]] = {}
        for member_id, member in self._usable():
            node, node_type = member.node, member.node_type
            if member.status is not _RUNNING:
                starting.setdefault(node_type, []).append(member_id)
            elif node is not None:
                looks = (node_type, *self._looks(node, as_if_idle))
                alike.setdefault(looks, (node_type, node, []))[2].append(member_id)
        for node_type, node, ids in alike.values():
            room, gpu = self._room_on(node, as_if_idle), "GPU" in node.total
            packing.add(Stage.RUNNING, node_type, room, node.labels, ids, has_gpu=gpu)
        for node_type, ids in starting.items():
            self.add_empty(packing, Stage.STARTING, node_type, ids)
        return packing

    def _usable(self) -> Iterator[tuple[str, Member]]:
        """Nodes with room for requests, now or soon; none where there are no requests."""
        if not self._asked:
            return
        for member_id, member in sorted(self.members.items(), key=_busy_first):
            if member_id not in self.staying and member.instance is not None and not member.is_head:
                continue
            if member.status is _RUNNING:
                if member_id in self.at_risk:
                    continue
                if member.node is not None and member.node.status not in _GOING:
                    yield member_id, member
            elif member.status in STARTING and member.node_type in self.spec.node_types:
                yield member_id, member

    def _looks(self, node: Node, as_if_idle: bool) -> tuple[object, ...]:
        """All that the requests can tell a running node from others by."""
        units, labels = self._room_on(node, as_if_idle).units, node.labels.get
        return ("GPU" in node.total, *map(units, self._names), *map(labels, self._keys))

    def _room_on(self, node: Node, as_if_idle: bool) -> Resources:
        room = node.total if as_if_idle else node.available
        if self._implicit:
            unused = {n: u for n, u in self._implicit.items() if n not in node.total}
            room = room + Resources(unused)
        return room

    def add_empty(self, packing: Packing, stage: Stage, node_type: str, ids: list[str]) -> None:
        """Add empty nodes of a type to a packing."""
        room = self._rooms[node_type]
        labels = self.labels_of(node_type)
        packing.add(stage, node_type, room, labels, ids, has_gpu="GPU" in room)

    def taken(self, node_type: str) -> int:
        """What counts against a type's limit: its workers, and orphans that will never work."""
        return self.count(node_type) + self._forlorn[node_type]

    def count(self, node_type: str) -> int:
        """Workers of a type that count against its limit, the planned ones included."""
        return self._counts[node_type] + self.planned[node_type]

    @property
    def total(self) -> int:
        """Workers of all types that count against the cluster's limit, planned ones included."""
        return self._counts.total() + self.planned.total()

    def surplus(self) -> Counter[str]:
        """How many workers of each type are above its max_workers (0 for a type that is gone)."""
        limits = {name: kind.max_workers for name, kind in self.spec.node_types.items()}
        return Counter({name: n - limits.get(name, 0) for name, n in self._counts.items()})

    def starting(self, node_type: str) -> int:
        """Nodes of a type on their way, the planned ones included."""
        return self._starting[node_type] + self.planned[node_type]

    def type_left(self, node_type: str) -> int:
        """How many more the type's max_workers allows."""
        return max(0, self.spec.node_types[node_type].max_workers - self.taken(node_type))

    def total_left(self) -> int:
        """How many more the cluster's max_workers allows."""
        return max(0, self.spec.max_workers - self.total - self._forlorn.total())

    def speed_limit(self, node_type: str) -> int:
        """How many nodes of a type may be starting for demand (Ray: max(5, speed × running))."""
        running = self._counts[node_type] - self._starting[node_type]
        return max(UPSCALING_FLOOR, math.ceil(self.spec.upscaling_speed * running))

    def speed_left(self, node_type: str) -> int:
        """How many more of a type may be launched for demand now."""
        return max(0, self.speed_limit(node_type) - self.starting(node_type))

    def failure(self, node_type: str) -> LaunchFailure | None:
        """The failure for which the type is avoided now, when all its offerings are."""
        return self.avoided.node_type(self.spec.node_types[node_type])

    def supplies(self) -> list[Supply]:
        """The worker types with what their limits and failures leave of them now."""
        supplies = [
            self._supply(kind, 0 if self.failure(kind.name) else self.type_left(kind.name))
            for kind in self.worker_types
        ]
        limit_to(supplies, self.money_left())
        return supplies

    def catalogue(self) -> list[Supply]:
        """Every worker type as if nothing limited it."""
        return [self._supply(kind, 1_000_000) for kind in self.worker_types]

    def offering(self, node_type: str) -> Offering:
        """The offering that would be bought: the cheapest that is least avoided; unpriced last."""

        def rank(offering: Offering) -> tuple[int, float]:
            failure = self.avoided.offering(node_type, offering)
            price = offering.price_per_hour
            avoided = 0 if failure is None else 1 + refuses(failure)
            return avoided, math.inf if price is None else price

        if node_type not in self._best:
            self._best[node_type] = min(self.spec.node_types[node_type].offerings, key=rank)
        return self._best[node_type]

    def _supply(self, kind: NodeType, left: int) -> Supply:
        room = self._rooms[kind.name]
        price = self.price(kind.name)
        return Supply(kind.name, room, self.labels_of(kind.name), price, left, kind.priority)


def meant_for(member: Member) -> Holding:
    """What a node on its way is meant to hold; nothing more once Ray uses it, in its own way."""
    instance, node = member.instance, member.node
    if instance is None or not instance.meant_for:
        return ()
    used = node is not None and node.available != node.total
    return () if used else instance.meant_for


def _busy_first(entry: tuple[str, Member]) -> tuple[float, str]:
    """Order in which alike nodes are filled: the longest idle come last, so that they can leave."""
    member_id, member = entry
    idle_since = member.node.idle_since if member.node is not None else 0.0
    return (-idle_since if idle_since else float("-inf"), member_id)


def _mentioned(state: ClusterState) -> tuple[set[str], set[str]]:
    """Resource names and label keys that any request speaks of; nothing else tells nodes apart."""
    bundles = [b for gang in state.gangs for way in gang.ways for b in set(way)]
    bundles += [b for constraint in state.constraints for b, _ in constraint.bundles]
    selectors = [selector for demand in state.demands for selector in demand.selectors]
    selectors += [bundle.selector for bundle in bundles]
    shapes = [demand.resources for demand in state.demands] + [b.resources for b in bundles]
    names = {name for shape in shapes for name in shape}
    return names, {key for selector in selectors for key, _, _ in selector}
