"""One round of placing: the room that is left, and what has been decided so far and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from raytui.autoscaler.planning.buying import Bought, Wanted
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.improving import lower_bound
from raytui.autoscaler.planning.judging import judge
from raytui.autoscaler.planning.packing import Placed, Stage
from raytui.model.plan import Launch, Memory, Outcome, Request, Verdict, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import Resources
from raytui.model.state import Holding, LabelSelector

WAITS = {Stage.RUNNING: Wait.RAY, Stage.STARTING: Wait.STARTING, Stage.NEW: Wait.LAUNCH}
"""What a request waits for whose room is at that stage."""


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
        self.launches: list[Launch] = []
        self.outcomes: list[Outcome] = []
        self.needed: dict[str, Reason] = {}
        """Existing nodes that a request is about to use, or that request_resources asks for."""
        self._bought_for: list[Wanted] = []
        self._served: list[Wanted] = []
        """The part of these that nodes were bought for."""
        self._new_ids = 0

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What every node type would have meant for the requests that nodes were bought for."""
        if not self._bought_for:
            return ()
        chosen: Counter[str] = Counter()
        for launch in self.launches:
            if launch.reason.why not in (Why.MIN_WORKERS, Why.USER_FLOOR):
                chosen[launch.node_type] += launch.count
        return judge(self._bought_for, self.capacity, chosen)

    @property
    def cost_per_hour(self) -> float:
        """USD per hour of what this plan launches; types without a price count by an estimate."""
        return round(self._cost_of(self.launches), 6)

    @property
    def lower_bound_per_hour(self) -> float | None:
        """What these launches must cost at least; None when not known, or when some must wait."""
        if not self._bought_for or not self.budget or self.throttled:
            return None
        bound = lower_bound(self._served, self.capacity.catalogue())
        floors = (Why.MIN_WORKERS, Why.USER_FLOOR)
        given = [launch for launch in self.launches if launch.reason.why in floors]
        return None if bound is None else round(bound + self._cost_of(given), 6)

    def _cost_of(self, launches: Iterable[Launch]) -> float:
        prices = {s.node_type: s.price for s in self.capacity.catalogue()}
        return sum(launch.count * prices[launch.node_type] for launch in launches)

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

    def expect(self, parts: Iterable[Placed], reason: Reason) -> None:
        """Remember that existing nodes are about to be used."""
        for part in parts:
            if part.stage is not Stage.NEW:
                for node_id in part.ids:
                    self.needed.setdefault(node_id, reason)

    def note(self, asked: Sequence[Wanted], left: Sequence[Wanted] = ()) -> None:
        """Remember what nodes were bought for; `left` has what of it was not served."""
        unserved = [want.count for want in left] or [0] * len(asked)
        self._bought_for += asked
        self._served += [
            Wanted(want.shape, want.count - rest, want.selectors)
            for want, rest in zip(asked, unserved, strict=True)
            if want.count > rest
        ]

    def launch_bought(self, bought: Sequence[Bought], reason: Reason) -> None:
        """Launch what was bought, and offer what it leaves free to what follows."""
        nodes: Counter[str] = Counter()
        for lot in bought:
            nodes[lot.supply.node_type] += lot.nodes
            self._add_filled(lot)
        for node_type, count in nodes.items():
            self.launch(node_type, count, reason, ())

    def _add_filled(self, lot: Bought) -> None:
        """New nodes have room left beside what they were bought for: offer it to what follows."""
        room = lot.supply.room
        for want, copies in lot.pattern:
            room = room - want.shape * copies
        labels = lot.supply.labels
        ids = self._ids(lot.nodes)
        self.room.add(
            Stage.NEW, lot.supply.node_type, room, labels, ids, has_gpu="GPU" in lot.supply.room
        )

    def launch(
        self,
        node_type: str,
        count: int,
        reason: Reason,
        fills: tuple[tuple[int, Holding], ...] | None = None,
    ) -> None:
        """Note a launch. Without `fills` the nodes are empty and offered to what follows."""
        self.capacity.planned[node_type] += count
        if fills is None:
            self.capacity.add_empty(self.room, Stage.NEW, node_type, self._ids(count))
        offering = self.capacity.offering(node_type)
        self.launches.append(Launch(node_type, count, reason, offering, fills or ()))

    def _ids(self, count: int) -> list[str]:
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
        self.outcomes.append(
            Outcome(kind, wait, count, reason, shape, label or shape.text(), node_type, selectors)
        )


def copies_of(wanted: Iterable[Wanted]) -> list[Wanted]:
    """The same requests, to keep their counts while the originals are served."""
    return [Wanted(want.shape, want.count, want.selectors) for want in wanted]


def wait_for(reason: Reason) -> Wait:
    """What a request waits for that cannot be placed."""
    infeasible = (Why.NO_TYPE_HAS, Why.TOO_LARGE, Why.NO_TYPE_LABELS)
    return Wait.INFEASIBLE if reason.why in infeasible else Wait.BLOCKED
