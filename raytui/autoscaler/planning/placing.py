"""Place every request: on room that exists, on room that starts, on nodes to be launched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from raytui.autoscaler.planning.buying import Bought, Wanted, buy_shared, buy_spread
from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.improving import lower_bound, purchase
from raytui.autoscaler.planning.judging import judge, why_not
from raytui.autoscaler.planning.packing import Packing, Placed, Stage
from raytui.model.plan import Launch, Memory, Outcome, Request, Verdict, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import EMPTY, Resources
from raytui.model.state import (
    Bundle,
    Constraint,
    Demand,
    Gang,
    Holding,
    LabelSelector,
    Member,
    Strategy,
)

_WAITS = {Stage.RUNNING: Wait.RAY, Stage.STARTING: Wait.STARTING, Stage.NEW: Wait.LAUNCH}


class Placing:
    """One round of placing; its methods are to be called in Ray's order, each once."""

    def __init__(self, capacity: Capacity, memory: Memory, now: float, budget: int) -> None:
        self._capacity = capacity
        self._budget = budget
        self._memory = memory
        self._now = now
        self._room = capacity.packing()
        self._bought_for: list[Wanted] = []
        self._served: list[Wanted] = []
        """The part of these that nodes were bought for."""
        self._new_ids = 0
        self._promised: dict[tuple[Resources, tuple[LabelSelector, ...]], list[Placed]] = {}
        self._throttled = False
        self.launches: list[Launch] = []
        self.outcomes: list[Outcome] = []
        self.needed: dict[str, Reason] = {}
        """Existing nodes that a request is about to use, or that request_resources asks for."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What every node type would have meant for the requests that nodes were bought for."""
        if not self._bought_for:
            return ()
        chosen: Counter[str] = Counter()
        for launch in self.launches:
            if launch.reason.why not in (Why.MIN_WORKERS, Why.USER_FLOOR):
                chosen[launch.node_type] += launch.count
        return judge(self._bought_for, self._capacity, chosen)

    @property
    def cost_per_hour(self) -> float:
        """USD per hour of what this plan launches; types without a price count by an estimate."""
        return round(self._cost_of(self.launches), 6)

    @property
    def lower_bound_per_hour(self) -> float | None:
        """What these launches must cost at least; None when not known, or when some must wait."""
        if not self._bought_for or not self._budget or self._throttled:
            return None
        bound = lower_bound(self._served, self._capacity.catalogue())
        floors = (Why.MIN_WORKERS, Why.USER_FLOOR)
        given = [launch for launch in self.launches if launch.reason.why in floors]
        return None if bound is None else round(bound + self._cost_of(given), 6)

    def _cost_of(self, launches: Iterable[Launch]) -> float:
        prices = {s.node_type: s.price for s in self._capacity.catalogue()}
        return sum(launch.count * prices[launch.node_type] for launch in launches)

    def floors(self) -> None:
        """Launch up to each type's floor: a person's, else min_workers. Not throttled."""
        capacity = self._capacity
        for kind in capacity.worker_types:
            own = self._memory.floors.get(kind.name)
            floor = min(kind.min_workers if own is None else own, kind.max_workers)
            missing = floor - capacity.count(kind.name)
            if missing <= 0:
                continue
            why = Why.MIN_WORKERS if own is None else Why.USER_FLOOR
            reason = because(why, node_type=kind.name, floor=floor)
            failure = capacity.failure(kind.name)
            allowed = 0 if failure else min(missing, capacity.total_left())
            if allowed:
                self._launch(kind.name, allowed, reason)
            if allowed < missing:
                blocked = why_not(Wanted(EMPTY, 1), capacity, throttled=False, only=kind.name)
                room = capacity.room_of(kind.name)
                label = f"floor of {kind.name}"
                self._outcome(Request.FLOOR, Wait.BLOCKED, missing - allowed, blocked, room, label)

    def constraints(self, constraints: Iterable[Constraint]) -> None:
        """request_resources: measured against totals as if idle, all or nothing, not throttled."""
        for constraint in constraints:
            totals = self._capacity.packing(as_if_idle=True)
            for index, (node_type, count) in enumerate(self._capacity.planned.items()):
                ids = [f"planned-{index}-{i}" for i in range(count)]
                self._capacity.add_empty(totals, Stage.NEW, node_type, ids)
            wanted = []
            for bundle, count in _counted(constraint.bundles):
                parts = totals.place(bundle.resources, count, _selectors(bundle))
                self._expect(parts, because(Why.FOR_CONSTRAINT, shape=bundle.resources.text()))
                rest = count - sum(part.count for part in parts)
                wanted.append(Wanted(bundle.resources, rest, _selectors(bundle)))
            self._satisfy_constraint(constraint, wanted)

    def _satisfy_constraint(self, constraint: Constraint, wanted: list[Wanted]) -> None:
        text = " + ".join(
            f"{count} × {b.resources.text()}" for b, count in _counted(constraint.bundles)
        )
        shape = _sum(b.resources * count for b, count in constraint.bundles)
        missing = [want for want in wanted if want.count]
        if not missing:
            return
        asked = _copies(missing)
        bought = self._buy(missing, self._budget)
        reason = because(Why.FOR_CONSTRAINT, shape=text)
        label = f"request {text}"
        if any(want.count for want in missing):
            unmet = next(want for want in missing if want.count)
            blocked = why_not(unmet, self._capacity, throttled=False)
            self._outcome(Request.CONSTRAINT, _wait(blocked), 1, blocked, shape, label)
            return
        self._note(asked)
        nodes: Counter[str] = Counter()
        for lot in bought:
            nodes[lot.supply.node_type] += lot.nodes
        for node_type, count in nodes.items():
            self._launch(node_type, count, reason)  # empty: a constraint holds nothing
        self._outcome(Request.CONSTRAINT, Wait.LAUNCH, 1, reason, shape, label)

    def gangs(self, gangs: Iterable[Gang]) -> None:
        """Placement groups, each as a whole or not at all, hardest first. Not throttled."""
        alike: dict[str, list[Gang]] = {}
        for gang in sorted(gangs, key=lambda g: (-len(g.bundles), _kind(g), g.gang_id)):
            alike.setdefault(_kind(gang), []).append(gang)
        for group in alike.values():
            if len(group) > 1 and is_uniform_spread(group[0]):
                group = self._spread_alike(group)
            for gang in group:
                self._gang(gang)

    def _spread_alike(self, group: list[Gang]) -> list[Gang]:
        """Many equal STRICT_SPREAD groups together, so that they share nodes; returns the rest.

        First those that find enough nodes with room; of what is left, the first is for the caller
        (it may use up the last existing nodes), and the others get new nodes in common.
        """
        bundle, size = group[0].bundles[0], len(group[0].bundles)
        chosen = _selectors(bundle)
        waiting: list[Gang] = []
        for gang in group:
            if waiting or self._room.count_nodes(bundle.resources, chosen) < size:
                waiting.append(gang)
                continue
            parts = self._room.place(bundle.resources, size, chosen, one_per_node=True)
            self._settled(gang, parts)
        together = waiting[1:]
        if not together:
            return waiting
        want = Wanted(bundle.resources, size * len(together), chosen)
        supplies = self._capacity.supplies()
        want.settle(supplies)
        asked = _copies([want])
        lots = buy_shared(want, supplies, self._capacity.total_left(), len(together), size)
        if not lots:
            return waiting
        self._note(asked)
        label = gang_label(together[0])
        reason = because(
            Why.FOR_GANG,
            gang=f"{label} and {len(together) - 1} like it" if len(together) > 1 else label,
            strategy=together[0].strategy.value,
        )
        self._launch_bought(lots, reason)
        for gang in together:
            shape = _sum(b.resources for b in gang.bundles)
            self._outcome(Request.GANG, Wait.LAUNCH, 1, reason, shape, gang_label(gang))
        return waiting[:1]

    def _settled(self, gang: Gang, parts: Sequence[Placed]) -> None:
        """Tell where a group goes that found all its room."""
        label = gang_label(gang)
        stage = max((part.stage for part in parts), default=Stage.RUNNING)
        reason = because(Why.FOR_GANG, gang=label, strategy=gang.strategy.value)
        why = reason if stage is Stage.NEW else self._where(stage, parts)
        shape = _sum(bundle.resources for bundle in gang.bundles)
        self._outcome(Request.GANG, _WAITS[stage], 1, why, shape, label)
        self._expect(parts, because(Why.EXPECTED, shape=label))

    def _gang(self, gang: Gang) -> None:
        trial = self._room.copy()
        parts, wanted = _place_gang(gang, trial)
        shape = _sum(bundle.resources for bundle in gang.bundles)
        label = gang_label(gang)
        missing = [want for want in wanted if want.count]
        reason = because(Why.FOR_GANG, gang=label, strategy=gang.strategy.value)
        if missing:
            asked = _copies(missing)
            apart = gang.strategy is Strategy.STRICT_SPREAD
            bought = self._buy_apart(missing) if apart else self._buy(missing)
            if any(want.count for want in missing):
                unmet = next(want for want in missing if want.count)
                blocked = self._why_no_gang(gang, unmet)
                self._outcome(Request.GANG, _wait(blocked), 1, blocked, shape, label)
                return
            self._room = trial
            self._note(asked)
            self._launch_bought(bought, reason)
            self._outcome(Request.GANG, Wait.LAUNCH, 1, reason, shape, label)
            self._expect(parts, because(Why.EXPECTED, shape=label))
        else:
            self._room = trial
            self._settled(gang, parts)

    def _why_no_gang(self, gang: Gang, unmet: Wanted) -> Reason:
        reason = why_not(unmet, self._capacity, throttled=False)
        if gang.strategy is Strategy.STRICT_SPREAD and reason.why is Why.MAX_WORKERS_TYPE:
            return because(
                Why.GANG_TOO_FEW_NODES,
                strategy=gang.strategy.value,
                wanted=len(gang.bundles),
                possible=len(gang.bundles) - unmet.count,
                node_type=reason.args["node_type"],
            )
        return reason

    def demands(self, demands: Iterable[Demand]) -> None:
        """Tasks and actors; launches for them are throttled by upscaling_speed."""
        wanted = [want for want in _merged(demands) if self._without_promised(want)]
        for want in wanted:
            self._on_existing(want)
        missing = [want for want in wanted if want.count]
        if not missing:
            return
        asked = _copies(missing)
        bought = self._throttle(self._buy(missing, self._budget))
        for want, before in zip(missing, asked, strict=True):
            want.selectors = before.selectors  # buying settled on one of them
        if bought:
            self._note(asked, missing)
            self._launch_for_demand(bought)
        for want in missing:
            if want.count:
                blocked = why_not(want, self._capacity, throttled=True)
                self._outcome(
                    Request.DEMAND,
                    _wait(blocked),
                    want.count,
                    blocked,
                    want.shape,
                    selectors=want.selectors,
                )

    def promises(self, demands: Iterable[Demand]) -> None:
        """Keep the room of nodes on their way for what they were launched for.

        Otherwise a plan that packs the same requests in another order finds too little room on
        them, and launches more.
        """
        waiting: dict[Resources, list[Wanted]] = {}
        for want in _merged(demands):
            waiting.setdefault(want.shape, []).append(want)
        for member_id, member in self._capacity.staying.items():
            instance, node = member.instance, member.node
            if instance is None or (node is not None and node.available != node.total):
                continue  # Ray has begun to use it, in its own way
            for shape, count in instance.meant_for:
                for want in waiting.get(shape, ()):
                    if count and want.count and want.accepts(self._labels(member)):
                        count -= self._promise(member_id, want, min(count, want.count))

    def _labels(self, member: Member) -> Mapping[str, str]:
        known = member.node_type in self._capacity.spec.node_types
        return self._capacity.labels_of(member.node_type) if known else {}

    def _promise(self, member_id: str, want: Wanted, count: int) -> int:
        """Set room on a node aside; returns for how many requests there was some."""
        part = self._room.place_on(member_id, want.shape, count)
        if part is None:
            return 0
        want.count -= part.count
        self._promised.setdefault((want.shape, want.selectors), []).append(part)
        return part.count

    def _without_promised(self, want: Wanted) -> bool:
        """Tell of what is promised room already; whether anything is left to place."""
        self._tell_placed(want, self._promised.pop((want.shape, want.selectors), []))
        return want.count > 0

    def _on_existing(self, want: Wanted) -> None:
        self._tell_placed(want, self._room.place(want.shape, want.count, want.selectors))

    def _tell_placed(self, want: Wanted, parts: Iterable[Placed]) -> None:
        by_stage: dict[Stage, list[Placed]] = {}
        for part in parts:
            by_stage.setdefault(part.stage, []).append(part)
            want.count -= part.count
        for stage, group in sorted(by_stage.items()):
            count = sum(part.count for part in group)
            reason = self._where(stage, group)
            self._outcome(
                Request.DEMAND, _WAITS[stage], count, reason, want.shape, selectors=want.selectors
            )
            self._expect(group, because(Why.EXPECTED, shape=want.shape.text()))

    def _where(self, stage: Stage, parts: Sequence[Placed]) -> Reason:
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
        member = self._capacity.members.get(node_id)
        boot_s = self._memory.boot_s.get(member.node_type) if member else None
        if member is None or member.instance is None or boot_s is None:
            return 0.0
        return member.instance.launched_at + boot_s

    def _expect(self, parts: Iterable[Placed], reason: Reason) -> None:
        for part in parts:
            if part.stage is not Stage.NEW:
                for node_id in part.ids:
                    self.needed.setdefault(node_id, reason)

    def _buy(self, wanted: Sequence[Wanted], budget: int = 0) -> list[Bought]:
        """Buy for the first label selector of each request that can be had; then for fallbacks."""
        supplies = self._capacity.supplies()
        expander = self._capacity.spec.expander
        total = self._capacity.total_left()
        choices = [want.selectors for want in wanted]
        lots: list[Bought] = []
        while True:
            for want in wanted:
                want.settle(supplies)
            fresh = purchase(wanted, supplies, total, expander, budget)
            lots += fresh
            total -= sum(lot.nodes for lot in fresh)
            for want, selectors in zip(wanted, choices, strict=True):
                want.selectors = selectors if want.count else want.selectors
            if not fresh or not any(want.count and len(want.selectors) > 1 for want in wanted):
                return lots

    def _buy_apart(self, wanted: Sequence[Wanted]) -> list[Bought]:
        supplies = self._capacity.supplies()
        for want in wanted:
            want.settle(supplies)
        return buy_spread(wanted, supplies, self._capacity.total_left())

    def _note(self, asked: Sequence[Wanted], left: Sequence[Wanted] = ()) -> None:
        """Remember what nodes were bought for; `left` has what of it was not served."""
        unserved = [want.count for want in left] or [0] * len(asked)
        self._bought_for += asked
        self._served += [
            Wanted(want.shape, want.count - rest, want.selectors)
            for want, rest in zip(asked, unserved, strict=True)
            if want.count > rest
        ]

    def _throttle(self, bought: Sequence[Bought]) -> list[Bought]:
        """Keep what upscaling_speed allows now; the rest waits rather than run somewhere dearer."""
        types = {lot.supply.node_type for lot in bought}
        left = {node_type: self._capacity.speed_left(node_type) for node_type in types}
        allowed = []
        for lot in bought:
            nodes = min(lot.nodes, left[lot.supply.node_type])
            self._throttled |= nodes < lot.nodes
            left[lot.supply.node_type] -= nodes
            for want, copies in lot.pattern:
                want.count += copies * (lot.nodes - nodes)
            if nodes:
                allowed.append(replace(lot, nodes=nodes))
        return allowed

    def _launch_bought(self, bought: Sequence[Bought], reason: Reason) -> None:
        nodes: Counter[str] = Counter()
        for lot in bought:
            nodes[lot.supply.node_type] += lot.nodes
            self._add_filled(lot)
        for node_type, count in nodes.items():
            self._launch(node_type, count, reason, ())

    def _launch_for_demand(self, bought: Sequence[Bought]) -> None:
        """One launch a type, its reason the hardest request that it was bought for."""
        by_type: dict[str, list[Bought]] = {}
        for lot in bought:
            by_type.setdefault(lot.supply.node_type, []).append(lot)
        for node_type, lots in by_type.items():
            nodes = sum(lot.nodes for lot in lots)
            takes: Counter[int] = Counter()
            wants: dict[int, Wanted] = {}
            for lot in lots:
                for want, copies in lot.pattern:
                    wants[id(want)] = want
                    takes[id(want)] += copies * lot.nodes
            hardest = min(wants.values(), key=lambda want: want.difficulty)
            count = takes[id(hardest)]
            reason = because(Why.FOR_DEMAND, count=count, shape=hardest.shape.text())
            fills = tuple(
                (lot.nodes, tuple((want.shape, copies) for want, copies in lot.pattern))
                for lot in lots
            )
            self._launch(node_type, nodes, reason, fills)
            where = because(Why.WAITS_FOR_STARTING, nodes=f"{nodes} × {node_type}")
            for key, placed in takes.items():
                want = wants[key]
                self._outcome(
                    Request.DEMAND,
                    Wait.LAUNCH,
                    placed,
                    where,
                    want.shape,
                    node_type=node_type,
                    selectors=want.selectors,
                )

    def _add_filled(self, lot: Bought) -> None:
        """New nodes have room left beside what they were bought for: offer it to what follows."""
        room = lot.supply.room
        for want, copies in lot.pattern:
            room = room - want.shape * copies
        labels = lot.supply.labels
        ids = self._ids(lot.nodes)
        self._room.add(
            Stage.NEW, lot.supply.node_type, room, labels, ids, has_gpu="GPU" in lot.supply.room
        )

    def _launch(
        self,
        node_type: str,
        count: int,
        reason: Reason,
        fills: tuple[tuple[int, Holding], ...] | None = None,
    ) -> None:
        """Note a launch. Without `fills` the nodes are empty and offered to what follows."""
        self._capacity.planned[node_type] += count
        if fills is None:
            self._capacity.add_empty(self._room, Stage.NEW, node_type, self._ids(count))
        offering = self._capacity.offering(node_type)
        self.launches.append(Launch(node_type, count, reason, offering, fills or ()))

    def _ids(self, count: int) -> list[str]:
        first = self._new_ids
        self._new_ids += count
        return [f"new-{first + i}" for i in range(count)]

    def _outcome(
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
        self.outcomes.append(
            Outcome(kind, wait, count, reason, shape, label or shape.text(), node_type, selectors)
        )


def _kind(gang: Gang) -> str:
    """What makes placement groups equal to planning: all but their ids."""
    parts = _counted((bundle, 1) for bundle in gang.bundles)
    return f"{gang.strategy.value} {[(b.resources.text(), b.selector, n) for b, n in parts]}"


def is_uniform_spread(gang: Gang) -> bool:
    """STRICT_SPREAD of equal bundles."""
    return gang.strategy is Strategy.STRICT_SPREAD and len(set(gang.bundles)) == 1


def gang_label(gang: Gang) -> str:
    """How people name a placement group: `PG 4f2a10 STRICT_SPREAD 4 × {GPU: 1}`."""
    shapes = Counter(bundle.resources.text() for bundle in gang.bundles)
    text = " + ".join(f"{count} × {shape}" for shape, count in sorted(shapes.items()))
    return f"PG {gang.gang_id[:6]} {gang.strategy.value} {text}".replace("  ", " ")


def _place_gang(gang: Gang, room: Packing) -> tuple[list[Placed], list[Wanted]]:
    """Place a group's bundles on existing room; what is placed where, and what is missing."""
    whole = _sum(bundle.resources for bundle in gang.bundles)
    together = tuple(sorted({c for bundle in gang.bundles for c in bundle.selector}))
    if gang.strategy in (Strategy.STRICT_PACK, Strategy.PACK):
        parts = room.place(whole, 1, (together,))
        if parts:
            return parts, []
        if gang.strategy is Strategy.STRICT_PACK:
            return [], [Wanted(whole, 1, (together,) if together else ())]
    parts, wanted = [], []
    taken: frozenset[str] = frozenset()
    apart = gang.strategy in (Strategy.SPREAD, Strategy.STRICT_SPREAD)
    for bundle, count in _counted((bundle, 1) for bundle in gang.bundles):
        if apart:
            spread = room.place(
                bundle.resources, count, _selectors(bundle), one_per_node=True, taken=taken
            )
            taken |= {node_id for part in spread for node_id in part.ids}
            parts += spread
            count -= sum(part.count for part in spread)
        if count and gang.strategy is not Strategy.STRICT_SPREAD:
            anywhere = room.place(bundle.resources, count, _selectors(bundle))
            parts += anywhere
            count -= sum(part.count for part in anywhere)
        wanted.append(Wanted(bundle.resources, count, _selectors(bundle)))
    return parts, wanted


def _counted(bundles: Iterable[tuple[Bundle, int]]) -> list[tuple[Bundle, int]]:
    """Alike bundles together, the hardest first."""
    counts: Counter[Bundle] = Counter()
    for bundle, count in bundles:
        counts[bundle] += count
    return sorted(
        counts.items(),
        key=lambda pair: Wanted(pair[0].resources, 1, _selectors(pair[0])).difficulty,
    )


def _selectors(bundle: Bundle) -> tuple[LabelSelector, ...]:
    return (bundle.selector,) if bundle.selector else ()


def _sum(parts: Iterable[Resources]) -> Resources:
    total = EMPTY
    for part in parts:
        total = total + part
    return total


def _merged(demands: Iterable[Demand]) -> list[Wanted]:
    """Equal demands together, the hardest first."""
    counts: Counter[tuple[Resources, tuple[LabelSelector, ...]]] = Counter()
    for demand in demands:
        counts[demand.resources, demand.selectors] += demand.count
    wanted = [Wanted(shape, count, selectors) for (shape, selectors), count in counts.items()]
    return sorted(wanted, key=lambda want: want.difficulty)


def _copies(wanted: Iterable[Wanted]) -> list[Wanted]:
    return [Wanted(want.shape, want.count, want.selectors) for want in wanted]


def _wait(reason: Reason) -> Wait:
    infeasible = (Why.NO_TYPE_HAS, Why.TOO_LARGE, Why.NO_TYPE_LABELS)
    return Wait.INFEASIBLE if reason.why in infeasible else Wait.BLOCKED
