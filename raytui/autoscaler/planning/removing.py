"""Which nodes leave and why the others stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

from raytui.autoscaler.planning.capacity import Capacity
from raytui.autoscaler.planning.ceilings import about_limit
from raytui.autoscaler.planning.orphans import why_orphan
from raytui.autoscaler.planning.pace import Pace
from raytui.autoscaler.planning.taken_back import WITHOUT_US, why_taken_back, work_on
from raytui.model.lifecycle import LEAVING, ON_ORDER, InstanceStatus
from raytui.model.plan import Kept, Memory, Outcome, Removal, Request, Wait
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import UNITS_PER_ONE
from raytui.model.state import Instance, Member, Node, NodeStatus

REFUSAL_S = 30.0
"""How long Ray's word stands that a node is no longer idle, whatever its state says: that lags."""


class Removing:
    """Removal of nodes: above limits, or idle for too long. Never the head, never a held node."""

    def __init__(self, capacity: Capacity, memory: Memory, now: float) -> None:
        self._capacity = capacity
        self._memory = memory
        self._now = now
        self._held = {
            hold.instance_id: hold for hold in memory.holds if not hold.until or hold.until > now
        }
        self._left_alone = self._held.keys() | {
            name for name, member in capacity.members.items() if _is_quarantined(member)
        }

        leaving = [drain for drain in memory.drains if drain.instance_id in capacity.members]
        workers = len(capacity.staying) + len(leaving)
        self._pace = Pace(capacity.spec.removal, leaving, workers, now)
        self._refused = {name for name, at in memory.refusals.items() if now - at < REFUSAL_S}
        # What many nodes have in common is found out once.
        self._timeout_of = cache(capacity.spec.idle_timeout)
        self._busy = cache(_why_busy)
        self._held_up: dict[str, Reason] = {}
        """Nodes that should leave, and why they may not yet."""

    def taken_back(self) -> tuple[Removal, ...]:
        """Nodes that leave whatever we want: no hold keeps them, and no rule slows that down."""
        removals = []
        for member in self._capacity.staying.values():
            reason = why_taken_back(member)
            if reason is not None and member.notice is not None:
                removals.append(_removal(member, reason, member.notice.deadline))
                self._pace.note(reason.why)
        return tuple(removals)

    def at_risk(self, outcomes: Iterable[Outcome], deadline: float) -> tuple[Removal, ...]:
        """Nodes that may be taken back and whose work has room on others that run.

        What then still runs on them is drained until `deadline`.
        """
        spec = self._capacity.spec
        waiting = {
            outcome.resources
            for outcome in outcomes
            if outcome.kind is Request.REPLACEMENT and outcome.wait is not Wait.RAY
        }
        removals = []
        for name, notice in self._capacity.at_risk.items():
            member = self._capacity.staying.get(name)
            work = work_on(member, spec) if member is not None else None
            if member is not None and (work is None or work.resources not in waiting):
                removals.append(_removal(member, because(Why.AT_RISK, by=notice.by), deadline))
        removals = [removal for removal in removals if self._may_leave(removal)]
        self._capacity.give_up(removal.instance_id for removal in removals)
        return tuple(removals)

    def over_limit(self, deadline: float) -> tuple[Removal, ...]:
        """Nodes above max_workers: not yet running first, then idle, then the least used.

        A busy one is drained until `deadline`, never cut (Ray's order, Ray's flaw mended). One that
        was asked for and has not come counts, but is decided on when it has. An orphan takes a
        place that no other may have, but nobody leaves for its sake.
        """
        capacity, spec = self._capacity, self._capacity.spec
        surplus = capacity.surplus()
        over_all = capacity.total - spec.max_workers
        if over_all <= 0 and not any(count > 0 for count in surplus.values()):
            return ()
        orphans = Counter(m.node_type for m in capacity.staying.values() if _is_orphan(m))
        surplus.subtract(orphans)
        over_all -= orphans.total()
        staying = [m for name, m in capacity.staying.items() if name not in self._left_alone]
        staying.sort(key=_dispensable)
        chosen: dict[str, Removal] = {}
        for member in staying:
            node_type = member.node_type
            if surplus[node_type] > 0:
                reason = because(Why.TYPE_GONE, node_type=node_type)
                if node_type in spec.node_types:
                    ceilings = capacity.ceilings
                    reason = about_limit(Why.OVER_MAX_TYPE, spec, ceilings, node_type)
                chosen[member.id] = _removal(member, reason, deadline)
                surplus[node_type] -= 1
                over_all -= 1
        for member in staying:
            if over_all > 0 and member.id not in chosen:
                reason = because(Why.OVER_MAX_GLOBAL, max=spec.max_workers)
                chosen[member.id] = _removal(member, reason, deadline)
                over_all -= 1
        return tuple(removal for removal in chosen.values() if self._may_leave(removal))

    def _may_leave(self, removal: Removal) -> bool:
        """Whether a chosen node may leave now; if not, it is remembered why."""
        status = self._capacity.members[removal.instance_id].status
        if status in ON_ORDER:
            return False
        if status is InstanceStatus.RUNNING:
            hindrance = self._pace.hindrance(removal.reason.why)
            if hindrance is not None:
                self._held_up[removal.instance_id] = hindrance
                return False
            self._pace.note(removal.reason.why)
        return True

    def idle(self, needed: Mapping[str, Reason]) -> tuple[Removal, ...]:
        """Nodes idle beyond their timeout that no request needs and no floor keeps."""
        capacity = self._capacity
        spare = Counter({t.name: self._spare(t.name) for t in capacity.worker_types})
        removals = []
        for member in sorted(self._idlers(needed), key=_idle_since):
            if spare[member.node_type] > 0:
                spare[member.node_type] -= 1
                timeout_s = self._timeout_of(member.node_type)
                idle_s = self._now - _idle_since(member)
                reason = because(Why.IDLE_TIMEOUT, idle_s=idle_s, timeout_s=timeout_s)
                removal = _removal(member, reason, 0.0)
                if self._may_leave(removal):
                    removals.append(removal)
        capacity.give_up(removal.instance_id for removal in removals)
        return tuple(removals)

    def _idlers(self, needed: Mapping[str, Reason]) -> list[Member]:
        """Nodes idle beyond their timeout that may leave if no floor keeps them."""
        return [
            m
            for name, m in self._capacity.staying.items()
            if (node := m.node) is not None
            and node.idle_since
            and self._now - node.idle_since >= self._timeout_of(m.node_type)
            and m.idle
            and node.status is NodeStatus.IDLE
            and name not in needed
            and name not in self._left_alone
            and name not in self._refused
        ]

    def _floor(self, node_type: str) -> tuple[int, Why]:
        own = self._memory.floors.get(node_type)
        if own is not None:
            return own, Why.USER_FLOOR
        kind = self._capacity.spec.node_types.get(node_type)
        return (kind.min_workers if kind else 0), Why.MIN_WORKERS

    def _spare(self, node_type: str) -> int:
        return self._capacity.count(node_type) - self._floor(node_type)[0]

    def kept(self, needed: Mapping[str, Reason], removals: Iterable[Removal]) -> tuple[Kept, ...]:
        """The reason of every member: why it stays, or why it leaves."""
        leaving = {removal.instance_id: removal.reason for removal in removals}
        floors = self._reached_floors()
        return tuple(
            [
                Kept(name, leaving.get(name) or self._why_here(name, member, needed, floors))
                for name, member in self._capacity.members.items()
            ]
        )

    def _reached_floors(self) -> dict[str, Reason]:
        """The floors of the node types that have no node to spare, as reasons to stay."""
        floors = {}
        for kind in self._capacity.worker_types:
            if self._spare(kind.name) <= 0:
                floor, why = self._floor(kind.name)
                floors[kind.name] = because(why, node_type=kind.name, floor=floor)
        return floors

    def _why_here(
        self, name: str, member: Member, needed: Mapping[str, Reason], floors: Mapping[str, Reason]
    ) -> Reason:
        """`floors` are the node types that have no node to spare."""
        if member.is_head:
            return because(Why.HEAD)
        instance, node = member.instance, member.node
        if instance is None:
            return because(Why.UNMANAGED)
        if instance.quarantined:
            return because(Why.QUARANTINED, error=instance.quarantined)
        drain = self._capacity.draining.get(name)
        if drain is not None and instance.status is not InstanceStatus.TERMINATING:
            if drain.reason.why in WITHOUT_US:
                return drain.reason
            cause = drain.reason.why.value.replace("-", " ")
            return because(Why.DRAINING, cause=cause, deadline=drain.deadline)
        if instance.status is not InstanceStatus.RUNNING:
            return self._why_not_running(instance)
        hold = self._held.get(name)
        if hold is not None:
            return because(Why.HELD, by=hold.by, until=hold.until)
        if name in self._held_up:
            return self._held_up[name]
        if node is None:
            return because(Why.BUSY, activity="not seen by Ray now")
        if not node.idle_since:
            return self._busy(_in_use(node), node.activity)
        if name in self._refused:
            return because(Why.BUSY, activity="work had come when it should leave")
        if name in needed:
            return needed[name]
        if instance.node_type in floors:
            return floors[instance.node_type]
        leaves_at = node.idle_since + self._timeout_of(instance.node_type)
        return because(Why.IDLE, since=node.idle_since, leaves_at=leaves_at)

    def _why_not_running(self, instance: Instance) -> Reason:
        if instance.status in LEAVING:
            limit_s = self._capacity.spec.timeouts.terminate_s
            return _why_leaving(instance, limit_s, self._now)
        if instance.orphan:
            return why_orphan(instance, self._capacity.spec, self._memory)
        since = instance.launched_at or instance.status_since
        return because(Why.STARTING, status=instance.status.value, since=since)


def _is_quarantined(member: Member) -> bool:
    return member.instance is not None and bool(member.instance.quarantined)


def _is_orphan(member: Member) -> bool:
    return member.instance is not None and member.instance.orphan


def _removal(member: Member, reason: Reason, deadline: float) -> Removal:
    node_id = member.node.node_id if member.node is not None else ""
    return Removal(member.id, member.node_type, reason, node_id, deadline)


def _idle_since(member: Member) -> float:
    return member.node.idle_since if member.node is not None else 0.0


def _dispensable(member: Member) -> tuple[int, bool, float]:
    """Sort key: not yet running, then idle the longest, then the least used.

    Of either, those come first that may be taken back.
    """
    node, is_safe = member.node, member.notice is None
    if member.status is not InstanceStatus.RUNNING or node is None:
        return (0, is_safe, 0.0)
    if node.idle_since:
        return (1, is_safe, node.idle_since)
    shares = [
        node.used.units(name) / units
        for name, units in node.total.items()
        if name in ("CPU", "GPU")
    ]
    return (2, is_safe, max(shares, default=0.0))


def _why_leaving(instance: Instance, limit_s: float, now: float) -> Reason:
    status, since = instance.status, instance.status_since
    if status is InstanceStatus.TERMINATING and since and now - since > limit_s:
        return because(Why.TIMED_OUT, status="terminating", after_s=limit_s)
    if status is InstanceStatus.SETUP_FAILED:
        return because(Why.SETUP_FAILED, message=instance.detail)
    if status is InstanceStatus.LOST:
        return because(Why.LOST, message=instance.detail)
    return because(Why.DRAINING, cause="terminating", deadline=0.0)


def _in_use(node: Node) -> tuple[tuple[str, int, int], ...]:
    """CPUs and GPUs of which some are given out: name, units given out, units in all."""
    room, total = node.available, node.total
    return tuple(
        [
            (name, used, most)
            for name in ("CPU", "GPU")
            if (most := total.units(name)) and (used := most - room.units(name))
        ]
    )


def _why_busy(in_use: tuple[tuple[str, int, int], ...], activity: tuple[str, ...]) -> Reason:
    parts = [
        f"{used / UNITS_PER_ONE:g}/{most / UNITS_PER_ONE:g} {name}" for name, used, most in in_use
    ]
    return because(Why.BUSY, activity=", ".join(parts) or "; ".join(activity) or "in use")
