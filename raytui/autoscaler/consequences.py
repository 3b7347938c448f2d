"""What follows when nodes are terminated, in words: for a dialog or a shell that asks first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from raytui.model.command import Impact
from raytui.model.lifecycle import COUNTED
from raytui.model.snapshot import Snapshot, TypeRow
from raytui.model.text import bytes_text, duration_text, money_text

_NAMED = 4
"""How many of a kind are named before the rest is counted."""


def impact_lines(impact: Impact) -> list[str]:
    """One line per kind of thing that is lost or must start again."""
    lines = []
    if impact.tasks:
        lines.append(f"running tasks are retried elsewhere: {_named(impact.tasks)}")
    if impact.actors:
        lines.append(f"actors die (restarted if they may be): {_named(impact.actors)}")
    if impact.placement_groups:
        lines.append(f"placement groups must find other room: {_named(impact.placement_groups)}")
    if impact.jobs:
        lines.append(f"jobs whose driver runs here fail: {_named(impact.jobs)}")
    if impact.object_bytes:
        size = bytes_text(impact.object_bytes)
        lines.append(f"{size} of objects: lost where no other node has a copy")
    lines.extend(impact.notes)
    return lines or ["nothing runs here"]


def floor_lines(snapshot: Snapshot, node_types: Iterable[str]) -> list[str]:
    """Types that the autoscaler will start anew, because their floor is not met without these.

    `node_types` has the type of every node that goes, one entry a node.
    """
    going = list(node_types)
    lines = []
    for row in snapshot.types:
        leaving = going.count(row.name)
        if leaving and row.running + row.starting - leaving < row.min:
            again = min(leaving, row.min - (row.running + row.starting - leaving))
            lines.append(_floor_line(row, again))
    return lines


def orphans_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Ids of the orphans in sight that nobody ends yet."""
    return tuple(
        row.id
        for row in snapshot.rows
        if row.member.instance is not None
        and row.member.instance.orphan
        and row.member.status in COUNTED
    )


def orphan_lines(snapshot: Snapshot, instance_ids: Iterable[str]) -> list[str]:
    """One line for each orphan: its type, its age, what it costs."""
    lines = []
    for instance_id in instance_ids:
        row = snapshot.row(instance_id)
        instance = row.member.instance if row is not None else None
        if instance is None:
            lines.append(f"{instance_id}  not known to the cluster")
            continue
        age_s = snapshot.taken_at - instance.launched_at if instance.launched_at else None
        age = "of unknown age" if age_s is None else f"{duration_text(age_s)} old"
        price = instance.price_per_hour
        cost = "price not known" if price is None else money_text(price)
        if price is not None and age_s is not None:
            cost += f", about ${price * age_s / 3600:,.2f} so far"
        lines.append(f"{instance_id}  {instance.node_type}  {age}  {cost}")
    return lines


def _floor_line(row: TypeRow, again: int) -> str:
    another = "another" if again == 1 else f"{again} others"
    price = f" ({money_text(row.price_per_hour * again)})" if row.price_per_hour else ""
    return f"The floor of {row.name} is {row.min}: the autoscaler will start {another}{price}."


def _named(things: Sequence[str]) -> str:
    more = len(things) - _NAMED
    return ", ".join(things[:_NAMED]) + (f" and {more} more" if more > 0 else "")
