"""One round of placing: the room that is left, and what has been decided so far and why."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from raytui.autoscaler.planning.buying import Bought, Wanted
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.improving import lower_bound
from raytui.autoscaler.planning.packing import Placed, Stage
from raytui.autoscaler.planning.verdicts import Use, judge
from raytui.model.plan import Launch, Memory, Outcome, Request, Verdict, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import Resources
from raytui.model.spec import Offering
from raytui.model.state import Holding, LabelSelector, Share

WAITS = {Stage.RUNNING: Wait.RAY, Stage.STARTING: Wait.STARTING, Stage.NEW: Wait.LAUNCH}
"""What a request waits for whose room is at that stage."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A launch while the round goes on: what its nodes will hold is not known yet."""

    node_type: str
    count: int
    reason: Reason
    offering: Offering
    fills: tuple[tuple[int, Holding], ...] = ()
    ids: tuple[str, ...] = ()


class Placing:
    """What a round of placing works on; floors, constraints, gangs and demands each change it."""

    def __init__(self, capacity: Capacity, memory: Memory, now: float, budget: int) -> None:
        self.capacity = capacity
        self.memory = memory
        self.now = now
        self.budget = budget
        """Rounds of improvement."""
        self.room = capacity.packing()
        self.throttled = False
        """Whether upscaling_speed made some launches wait."""
        self.outcomes: list[Outcome] = []
        self.needed: dict[str, Reason] = {}
        """Existing nodes that a request is about to use, or that request_resources asks for."""
        self._bought_for: list[Wanted] = []
        self._served: list[Wanted] = []
        """The part of these that nodes were bought for."""
        self._unfilled: list[Bought] = []
        """Nodes bought for request_resources, which holds nothing on them."""
        self.intents: list[Intent] = []
        self._meant_for: dict[str, Counter[Share]] = {}
        """What was placed on new nodes: one request's share, how often."""
        self._new_ids = 0

    def copy(self) -> Placing:
        """The same round, to go on with in another way."""
        twin = copy.copy(self)
        twin.capacity = self.capacity.copy()
        twin.room = self.room.copy()
        twin.outcomes, twin.needed = list(self.outcomes), dict(self.needed)
        twin._bought_for, twin._served = list(self._bought_for), list(self._served)
        twin._unfilled = list(self._unfilled)
        twin.intents = list(self.intents)
        twin._meant_for = {name: meant.copy() for name, meant in self._meant_for.items()}
        return twin

    def become(self, other: Placing) -> None:
        """Go on as another round that began as a copy of this one."""
        self.capacity.planned = other.capacity.planned
        vars(self).update(vars(other), capacity=self.capacity)

    def all_used(self, ids: Iterable[str]) -> bool:
        """Whether something was placed on each of these new nodes."""
        return self._meant_for.keys() >= set(ids)

    @property
    def launches(self) -> list[Launch]:
        """What is launched, and what each node is meant for."""
        return all_or_nothing(
            [
                Launch(i.node_type, i.count, i.reason, i.offering, i.fills or self._fills(i.ids))
                for i in self.intents
            ]
        )

    def _fills(self, ids: Iterable[str]) -> tuple[tuple[int, Holding], ...]:
        alike = Counter(
            tuple(replace(share, count=count) for share, count in meant.items())
            for node_id in ids
            if (meant := self._meant_for.get(node_id))
        )
        return tuple((nodes, holding) for holding, nodes in alike.items())

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What every node type would have meant for the requests that nodes were bought for."""
        if not self._bought_for:
            return ()
        uses: defaultdict[str, Use] = defaultdict(Use)
        for launch in self.launches:
            if launch.reason.why not in (Why.MIN_WORKERS, Why.USER_FLOOR, Why.FOR_CONSTRAINT):
                filled = sum(nodes for nodes, _ in launch.fills)
                for nodes, holding in (*launch.fills, (launch.count - filled, ())):
                    shapes = ((share.resources, share.count) for share in holding)
                    uses[launch.node_type].add(nodes, shapes)
        for lot in self._unfilled:
            shapes = ((want.shape, copies) for want, copies in lot.pattern)
            uses[lot.supply.node_type].add(lot.nodes, shapes)
        return judge(merged(self._bought_for), self.capacity, uses)

    @property
    def cost_per_hour(self) -> float:
        """USD per hour of what this plan launches; types without a price count by an estimate."""
        return round(self._cost_of(self.intents), 6)

    @property
    def lower_bound_per_hour(self) -> float | None:
        """What these launches must cost at least; None when not known, or when some must wait."""
        if not self._bought_for or not self.budget or self.throttled:
            return None
        bound = lower_bound(merged(self._served), self.capacity.catalogue())
        floors = (Why.MIN_WORKERS, Why.USER_FLOOR)
        given = [intent for intent in self.intents if intent.reason.why in floors]
        return None if bound is None else round(bound + self._cost_of(given), 6)

    def _cost_of(self, intents: Iterable[Intent]) -> float:
        prices = {s.node_type: s.price for s in self.capacity.catalogue()}
        return sum(intent.count * prices[intent.node_type] for intent in intents)

    @property
    def new_nodes(self) -> int:
        """How many nodes this plan launches."""
        return sum(intent.count for intent in self.intents)

    def where(self, stage: Stage, parts: Sequence[Placed]) -> Reason:
        """On which nodes of a stage requests go, in words."""
        nodes: Counter[str] = Counter()
        parts = [part for part in parts if part.stage is stage]
        for part in parts:
            nodes[part.node_type] += len(part.ids)
        text = ", ".join(f"{count} × {name}" for name, count in nodes.items())
        if stage is Stage.RUNNING:
            return because(Why.FITS_RUNNING, nodes=text)
        if stage is Stage.NEW:
            return because(Why.WAITS_FOR_STARTING, nodes=text)
        ready_at = max(
            (self._ready_at(node_id) for part in parts for node_id in part.ids), default=0.0
        )
        return because(Why.WAITS_FOR_STARTING, nodes=text, ready_at=ready_at)

    def _ready_at(self, node_id: str) -> float:
        member = self.capacity.members.get(node_id)
        boot_s = self.memory.boot_s.get(member.node_type) if member else None
        if member is None or member.instance is None or boot_s is None:
            return 0.0
        return member.instance.launched_at + boot_s

    def expect(
        self, parts: Iterable[Placed], reason: Reason, meant_for: Share | None = None
    ) -> None:
        """Remember that existing nodes are about to be used, and what new ones are meant for.

        `meant_for` is one request's share of a node.
        """
        for part in parts:
            if part.stage is not Stage.NEW:
                for node_id in part.ids:
                    self.needed.setdefault(node_id, reason)
            elif meant_for is not None:
                for node_id, count in part.on_each():
                    self._meant_for.setdefault(node_id, Counter())[meant_for] += count

    def note(
        self,
        asked: Sequence[Wanted],
        left: Sequence[Wanted] = (),
        unfilled: Sequence[Bought] = (),
    ) -> None:
        """Remember what nodes were bought for; `left` has what of it was not served.

        `unfilled` are nodes bought for it that stay empty as far as others are concerned.
        """
        self._unfilled += unfilled
        unserved = [want.count for want in left] or [0] * len(asked)
        self._bought_for += asked
        self._served += [
            Wanted(want.shape, want.count - rest, want.selectors)
            for want, rest in zip(asked, unserved, strict=True)
            if want.count > rest
        ]

    def launch(
        self, node_type: str, count: int, reason: Reason, fills: tuple[tuple[int, Holding], ...]
    ) -> None:
        """Note a launch of nodes that nothing else is placed on."""
        self._launch(Intent(node_type, count, reason, self.capacity.offering(node_type), fills))

    def launch_empty(self, node_type: str, count: int, reason: Reason) -> list[str]:
        """Note a launch, and offer the nodes to what follows; returns what they are called here."""
        ids = self.new_ids(count)
        self.capacity.add_empty(self.room, Stage.NEW, node_type, ids)
        self.launch_known({node_type: ids}, reason)
        return ids

    def launch_known(self, nodes: Mapping[str, Sequence[str]], reason: Reason) -> None:
        """Note launches of nodes that are in the room already, by these ids."""
        for node_type, ids in nodes.items():
            offering = self.capacity.offering(node_type)
            self._launch(Intent(node_type, len(ids), reason, offering, ids=tuple(ids)))

    def _launch(self, intent: Intent) -> None:
        self.capacity.planned[intent.node_type] += intent.count
        self.intents.append(intent)

    def new_ids(self, count: int) -> list[str]:
        """Names for nodes to be launched, while this plan is made."""
        first = self._new_ids
        self._new_ids += count
        return [f"new-{first + i}" for i in range(count)]

    def outcome(
        self,
        kind: Request,
        wait: Wait,
        count: int,
        reason: Reason,
        shape: Resources,
        label: str = "",
        node_type: str = "",
        selectors: tuple[LabelSelector, ...] = (),
    ) -> None:
        """Tell what became of `count` of `shape`."""
        named = f"move {shape.text()}" if kind is Request.REPLACEMENT else shape.text()
        self.outcomes.append(
            Outcome(kind, wait, count, reason, shape, label or named, node_type, selectors)
        )


def all_or_nothing(launches: Sequence[Launch]) -> list[Launch]:
    """The launches, and of which fewer nodes are of no use.

    That is where all nodes are for one placement group and nothing else, and it needs no others:
    it does not start with fewer, and nodes that wait cost money.
    """
    groups = [{share.gang for _, holding in one.fills for share in holding} for one in launches]
    wanted_in = Counter(group for those in groups for group in those)
    return [
        replace(one, all_or_nothing=True)
        if one.count > 1
        and len(those) == 1
        and all(group and wanted_in[group] == 1 for group in those)
        and sum(nodes for nodes, _ in one.fills) == one.count
        else one
        for one, those in zip(launches, groups, strict=True)
    ]


def copies_of(wanted: Iterable[Wanted]) -> list[Wanted]:
    """The same requests, to keep their counts while the originals are served."""
    return [Wanted(want.shape, want.count, want.selectors) for want in wanted]


def merged(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Equal requests as one: what looks at each of them need not look at a thousand groups."""
    counts: Counter[tuple[Resources, tuple[LabelSelector, ...]]] = Counter()
    for want in wanted:
        counts[want.shape, want.selectors] += want.count
    return [Wanted(shape, count, selectors) for (shape, selectors), count in counts.items()]


def wait_for(reason: Reason) -> Wait:
    """What a request waits for that cannot be placed."""
    infeasible = (Why.NO_TYPE_HAS, Why.TOO_LARGE, Why.NO_TYPE_LABELS)
    return Wait.INFEASIBLE if reason.why in infeasible else Wait.BLOCKED
