"""Draw the Snapshot: everything that a screen needs, from what the tick knows."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from raytui.autoscaler.planning.avoided import Avoided, refuses
from raytui.model.lifecycle import COUNTED, STARTING, InstanceStatus
from raytui.model.plan import Decision, Hold, Kept, Memory, Plan
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Event, Move, Row, Snapshot, TypeRow
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, Member

HISTORY_S = 60
"""Seconds of use that the sparklines show, one value a second."""

_SHOWN = ("CPU", "GPU", "memory", "object_store_memory")


class Picture:
    """Turns ticks into snapshots; keeps the last minute of use."""

    def __init__(self, info: ClusterInfo) -> None:
        self.info = info
        self._seq = 0
        self._last: Snapshot | None = None
        self._sampled_at = 0.0
        self._type_use: dict[str, deque[float]] = {}
        self._use: dict[str, deque[float]] = {}

    def tell_whereabouts(self, gcs_address: str, dashboard_url: str) -> None:
        """Show from now on where the head is; where nothing is known, where it was."""
        info = self.info
        self.info = msgspec.structs.replace(
            info,
            gcs_address=gcs_address or info.gcs_address,
            dashboard_url=dashboard_url or info.dashboard_url,
        )

    def draw(
        self,
        state: ClusterState,
        plan: Plan,
        spec: ClusterSpec,
        memory: Memory,
        *,
        events: Sequence[Event],
        decisions: Sequence[Decision],
        trouble: str,
        tick_ms: float,
        now: float,
        plan_ms: float = 0.0,
        session: str = "",
        moves: Sequence[Move] = (),
    ) -> Snapshot:
        """One snapshot; `seq` grows by one each time."""
        self._seq += 1
        used, total = _sum_up(state.members)
        groups: dict[str, list[Member]] = {name: [] for name in spec.node_types}
        for member in state.members:
            groups.setdefault(member.node_type, []).append(member)
        by_type = {name: _sum_up(groups[name]) for name in spec.node_types}
        self._sample(used, total, by_type, now)
        prices = [t.price_per_hour for t in spec.node_types.values()]
        self._last = Snapshot(
            info=self.info,
            seq=self._seq,
            taken_at=now,
            rows=_rows(state.members, plan.kept, memory, spec, now),
            types=tuple(
                self._type_row(name, groups[name], spec, memory, by_type[name], now)
                for name in spec.node_types
            ),
            outcomes=plan.outcomes,
            events=tuple(events),
            decisions=tuple(decisions),
            failures=memory.failures,
            sources=state.sources,
            used=_shown(used, total),
            total=_shown(total, total),
            history={name: tuple(use) for name, use in self._use.items()},
            cost_per_hour=_cost(m for m in state.members if m.status in COUNTED),
            idle_cost_per_hour=_cost(m for m in state.members if m.idle and not m.is_head),
            priced=any(price is not None for price in prices),
            paused_by=memory.paused_by,
            trouble=trouble,
            watch_only=state.watch_only,
            tick_ms=tick_ms,
            plan_ms=plan_ms,
            session=session,
            moves=tuple(moves),
        )
        return self._last

    def again(self, trouble: str, now: float) -> Snapshot:
        """The last picture once more, for a round that came to nothing, and why it did."""
        self._seq += 1
        last = self._last or Snapshot(self.info, 0, now)
        self._last = msgspec.structs.replace(
            last, seq=self._seq, taken_at=now, trouble=trouble, moves=()
        )
        return self._last

    def _sample(
        self,
        used: Resources,
        total: Resources,
        by_type: Mapping[str, tuple[Resources, Resources]],
        now: float,
    ) -> None:
        seconds = now - self._sampled_at
        if seconds < 0.95:
            return
        # Of a quiet cluster that nobody watches there are fewer pictures than one a second.
        times = min(HISTORY_S, max(1, round(seconds))) if self._sampled_at else 1
        self._sampled_at = now
        for name in total:
            if name in _SHOWN:
                use = self._use.setdefault(name, deque(maxlen=HISTORY_S))
                use.extend([round(used.units(name) / total.units(name), 3)] * times)
        for node_type, (type_used, type_total) in by_type.items():
            use = self._type_use.setdefault(node_type, deque(maxlen=HISTORY_S))
            use.extend([_dominant_use(type_used, type_total)] * times)

    def _type_row(
        self,
        name: str,
        mine: Sequence[Member],
        spec: ClusterSpec,
        memory: Memory,
        sums: tuple[Resources, Resources],
        now: float,
    ) -> TypeRow:
        kind = spec.node_types[name]
        is_head = name == spec.head_node_type and not kind.max_workers
        # A head whose type has workers, too, counts against none of their limits.
        limited = [member for member in mine if member.is_head == is_head]
        statuses = Counter(member.status for member in limited)
        floor = memory.floors.get(name)
        ceiling = memory.ceilings.get(name, kind.max_workers)
        failures = [f for f in memory.failures if f.node_type == name and refuses(f)]
        avoided = Avoided(memory.failures, now).node_type(kind)
        used, total = sums
        return TypeRow(
            name=name,
            min=1 if is_head else (kind.min_workers if floor is None else floor),
            max=1 if is_head else min(kind.max_workers, ceiling),
            running=statuses[InstanceStatus.RUNNING],
            starting=sum(statuses[status] for status in STARTING),
            draining=statuses[InstanceStatus.DRAINING] + statuses[InstanceStatus.TERMINATING],
            failed=sum(f.count for f in failures),
            idle=sum(1 for member in limited if member.idle),
            is_head=is_head,
            price_per_hour=kind.price_per_hour,
            cost_per_hour=_cost(m for m in mine if m.status in COUNTED),
            user_floor=floor is not None,
            user_ceiling=ceiling < kind.max_workers,
            resources=kind.resources.amounts(),
            backoff_until=avoided.retry_at if avoided is not None else 0.0,
            used=_shown(used, total),
            total=_shown(total, total),
            history=tuple(self._type_use.get(name, ())),
        )


def _sum_up(members: Iterable[Member]) -> tuple[Resources, Resources]:
    """(used, total) over the Ray nodes of the members."""
    available: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for member in members:
        if member.node is not None:
            for name, units in member.node.total.items():
                total[name] += units
            for name, units in member.node.available.items():
                available[name] += units
    return Resources(total) - Resources(available), Resources(total)


def _shown(amounts: Resources, total: Resources) -> dict[str, float]:
    """CPU, GPU and memory first, then custom resources; Ray's per-node markers are left out."""
    custom = sorted(n for n in total if n not in _SHOWN and not _is_marker(n))
    return {name: amounts.amount(name) for name in (*_SHOWN, *custom) if name in total}


def _is_marker(name: str) -> bool:
    return name.startswith(("node:", "accelerator_type:"))


def _dominant_use(used: Resources, total: Resources) -> float:
    """Use of GPUs where there are any, else of CPUs, else of whatever is used most."""
    for name in ("GPU", "CPU"):
        if name in total:
            return round(used.units(name) / total.units(name), 3)
    shares = [used.units(n) / total.units(n) for n in total if not _is_marker(n)]
    return round(max(shares, default=0.0), 3)


def _cost(members: Iterable[Member]) -> float:
    prices = (m.instance.price_per_hour for m in members if m.instance is not None)
    return round(sum(price for price in prices if price is not None), 6)


def _rows(
    members: Sequence[Member],
    kept: Iterable[Kept],
    memory: Memory,
    spec: ClusterSpec,
    now: float,
) -> tuple[Row, ...]:
    reasons = {k.instance_id: k.reason for k in kept}
    for end in memory.ends:
        reasons[end.instance_id] = because(Why.ORDERED_SOON, by=end.by, at=end.at)
    holds: dict[str, Hold] = {
        hold.instance_id: hold for hold in memory.holds if not hold.until or hold.until > now
    }
    order = {name: position for position, name in enumerate(spec.node_types)}

    def place(member: Member) -> tuple[bool, int, float, str]:
        launched = member.instance.launched_at if member.instance is not None else 0.0
        return (not member.is_head, order.get(member.node_type, 999), launched, member.id)

    return tuple(
        Row(member, reasons.get(member.id), holds.get(member.id))
        for member in sorted(members, key=place)
    )
