"""Machines that their owner takes back: what runs there is to have room elsewhere before they go.

A notice of two minutes is shorter than most boots, so replacements are launched at once: for
floors, since such nodes count no more, and for what runs on them, which Ray will only ask for when
they are gone. Of a machine that merely may be taken back the same is done, where the cluster file
wants it, in the other order: it leaves when what runs on it has room elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from raytui.model.leaving import RebalancePolicy
from raytui.model.lifecycle import ON_ORDER, InstanceStatus
from raytui.model.plan import Memory
from raytui.model.reason import Reason, Why, because
from raytui.model.resources import EMPTY, Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import Demand, LabelSelector, Member, Notice, NoticeKind

WITHOUT_US = frozenset({Why.TAKEN_BACK, Why.AT_RISK, Why.DRAINED})
"""Why nodes leave that nobody here has ordered to."""
_GRAVITY = (NoticeKind.REBALANCE, NoticeKind.DRAINED, NoticeKind.INTERRUPTION)


def gravest(notices: Iterable[Notice]) -> dict[str, Notice]:
    """The gravest notice of each instance, by its id."""
    ordered = sorted(notices, key=lambda notice: _GRAVITY.index(notice.kind))
    return {notice.instance_id: notice for notice in ordered}


def why_taken_back(member: Member) -> Reason | None:
    """Why one of our workers leaves whatever anybody wants, if it does.

    What was asked for and has not come cannot be given up; it is, once it has.
    """
    if member.status in ON_ORDER:
        return None
    notice = _notice(member, NoticeKind.INTERRUPTION)
    if notice is not None:
        return because(Why.TAKEN_BACK, by=notice.by, deadline=notice.deadline)
    notice = _notice(member, NoticeKind.DRAINED)
    return None if notice is None else because(Why.DRAINED, deadline=notice.deadline)


def to_be_spared(
    members: Iterable[Member], spec: ClusterSpec, memory: Memory, now: float
) -> dict[str, Notice]:
    """The running workers that leave as soon as they can be spared, and the notices of them."""
    if spec.rebalance is not RebalancePolicy.REPLACE:
        return {}
    held = {hold.instance_id for hold in memory.holds if not hold.until or hold.until > now}
    return {
        member.id: notice
        for member in members
        if (notice := _notice(member, NoticeKind.REBALANCE)) is not None
        and member.status is InstanceStatus.RUNNING
        and member.id not in held
    }


def _notice(member: Member, kind: NoticeKind) -> Notice | None:
    notice, instance = member.notice, member.instance
    if notice is None or notice.kind is not kind:
        return None
    return None if instance is None or instance.quarantined or member.is_head else notice


def work_to_replace(
    members: Iterable[Member], spec: ClusterSpec, memory: Memory, now: float
) -> tuple[Demand, ...]:
    """What runs on nodes that leave though nobody here wants it, as requests for room.

    Nodes that leave by somebody's order to us are not replaced; nor are those that stay for as
    long as their work takes.
    """
    members = tuple(members)
    leaving = {drain.instance_id: drain.reason for drain in memory.drains}
    for member in members:
        reason = why_taken_back(member)
        if reason is not None and leaving.get(member.id, reason).why in WITHOUT_US:
            leaving[member.id] = reason
    moving = {n for n, reason in leaving.items() if reason.why in WITHOUT_US and _ends(reason)}
    moving |= to_be_spared(members, spec, memory, now).keys()
    work = (work_on(member, spec) for member in members if member.id in moving)
    return tuple(demand for demand in work if demand is not None)


def _ends(reason: Reason) -> bool:
    return reason.why is not Why.DRAINED or bool(reason.args["deadline"])


def work_on(member: Member, spec: ClusterSpec) -> Demand | None:
    """All that runs on a node as one request for room; None when nothing does.

    Types with the labels of its own type are preferred, because what runs may have asked for them.
    Room for its objects is not asked for: what is lost of them is made again.
    """
    known = {name for kind in spec.node_types.values() for name in kind.resources}
    used = member.node.used if member.node is not None else EMPTY
    shape = Resources({n: units for n, units in used.items() if n in known and units > 0})
    return Demand(shape, 1, _selectors(member, spec)) if shape else None


def _selectors(member: Member, spec: ClusterSpec) -> tuple[LabelSelector, ...]:
    kind = spec.node_types.get(member.node_type)
    if kind is None or not kind.labels:
        return ()
    own = tuple((key, "in", (value,)) for key, value in sorted(kind.labels.items()))
    return own, ()
