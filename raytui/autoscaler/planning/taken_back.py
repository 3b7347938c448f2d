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
from raytui.model.reason import Why
from raytui.model.resources import EMPTY, Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import Demand, LabelSelector, Member, Notice, NoticeKind

_NOT_ORDERED = frozenset({Why.TAKEN_BACK, Why.AT_RISK})


def gravest(notices: Iterable[Notice]) -> dict[str, Notice]:
    """The gravest notice of each instance, by its id."""
    found: dict[str, Notice] = {}
    for notice in notices:
        known = found.get(notice.instance_id)
        if known is None or notice.kind is NoticeKind.INTERRUPTION:
            found[notice.instance_id] = notice
    return found


def taken_back_by(member: Member) -> Notice | None:
    """The notice that the machine of one of our workers will be taken back, if there is one.

    What was asked for and has not come cannot be given up; it is, once it has.
    """
    notice = _notice(member, NoticeKind.INTERRUPTION)
    return None if member.status in ON_ORDER else notice


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
    """What runs on nodes that leave by their owner's will, as a request for room: one for each.

    Nodes that leave by somebody's order are not replaced.
    """
    members = tuple(members)
    drains = {drain.instance_id: drain.reason.why for drain in memory.drains}
    ordered = {name for name, why in drains.items() if why not in _NOT_ORDERED}
    leaving = drains.keys() | to_be_spared(members, spec, memory, now)
    return tuple(
        work
        for member in members
        if member.id in leaving or taken_back_by(member) is not None
        if member.id not in ordered and (work := work_on(member, spec)) is not None
    )


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
