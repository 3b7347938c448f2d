"""Machines that their owner takes back: what runs there is to have room elsewhere before they go.

A notice of two minutes is shorter than most boots, so their replacements are launched at once: for
floors, since such nodes count no more, and for what runs on them, which Ray will only ask for when
they are gone.
"""

from __future__ import annotations

from collections.abc import Iterable

from raytui.model.lifecycle import ON_ORDER
from raytui.model.plan import Memory
from raytui.model.reason import Why
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import Demand, LabelSelector, Member, Notice, NoticeKind


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
    notice = member.notice
    if notice is None or notice.kind is not NoticeKind.INTERRUPTION:
        return None
    is_ours = member.instance is not None and not member.is_head
    return notice if is_ours and member.status not in ON_ORDER else None


def work_to_replace(
    members: Iterable[Member], spec: ClusterSpec, memory: Memory
) -> tuple[Demand, ...]:
    """What runs on nodes that will be taken back, as a request for room: one for each node.

    In all types that can hold it; those with the labels of its own type are preferred, because
    what runs may have asked for them. Nodes that leave by somebody's order are not replaced.
    """
    ordered = {d.instance_id for d in memory.drains if d.reason.why is not Why.TAKEN_BACK}
    known = {name for kind in spec.node_types.values() for name in kind.resources}
    return tuple(
        Demand(shape, 1, _selectors(member, spec))
        for member in members
        if taken_back_by(member) is not None and member.id not in ordered
        if (shape := _in_use(member, known))
    )


def _in_use(member: Member, known: set[str]) -> Resources:
    """What is given out on a node, of what a node type may have; a bundle of all that runs there.

    Room for its objects is not asked for: what is lost of them is made again.
    """
    if member.node is None:
        return Resources({})
    used = member.node.used
    return Resources({name: units for name, units in used.items() if name in known and units > 0})


def _selectors(member: Member, spec: ClusterSpec) -> tuple[LabelSelector, ...]:
    kind = spec.node_types.get(member.node_type)
    if kind is None or not kind.labels:
        return ()
    own = tuple((key, "in", (value,)) for key, value in sorted(kind.labels.items()))
    return own, ()
