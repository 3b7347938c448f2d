"""Why work waits: what Ray has not placed, matched with what the autoscaler makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from raytui.model.plan import Outcome, Request
from raytui.model.resources import Resources
from raytui.model.snapshot import Snapshot
from raytui.model.work import Actor, PlacementGroup, Task
from raytui.screens.words import reason_text

_UNPLACED = frozenset({"PENDING_NODE_ASSIGNMENT"})
_UNMADE = frozenset({"PENDING_CREATION", "RESTARTING"})
_SHORT_ID = 6
"""Digits of a group's id by which requests are named."""


def waiting_shapes(tasks: Iterable[Task], actors: Iterable[Actor]) -> Counter[Resources]:
    """How many tasks and actors of each shape wait for room."""
    shapes: Counter[Resources] = Counter()
    shapes.update(Resources.of(t.resources) for t in tasks if t.state in _UNPLACED)
    shapes.update(Resources.of(a.resources) for a in actors if a.state in _UNMADE)
    return shapes


def why_shapes_wait(
    shapes: Mapping[Resources, int], snapshot: Snapshot | None, now: float
) -> list[str]:
    """A sentence for each shape that waits: how many of it, and why if that is known."""
    return [
        f"{count:,} × {shape.text() or '{}'}: {_why(shape, snapshot, now)}"
        for shape, count in shapes.items()
    ]


def why_it_waits(one: Task | Actor, snapshot: Snapshot | None, now: float) -> str:
    """Why a task or an actor waits for room; empty when it does not."""
    shapes = waiting_shapes(
        [one] if isinstance(one, Task) else [], [one] if isinstance(one, Actor) else []
    )
    return "; ".join(_why(shape, snapshot, now) for shape in shapes)


def _why(shape: Resources, snapshot: Snapshot | None, now: float) -> str:
    reasons = [
        reason_text(outcome.reason, now)
        for outcome in _outcomes(snapshot, Request.DEMAND)
        if outcome.resources == shape
    ]
    return "; ".join(dict.fromkeys(reasons)) or "the autoscaler has not seen it yet"


def why_group_waits(group: PlacementGroup, snapshot: Snapshot | None, now: float) -> str:
    """Why a placement group is not placed; empty when nothing is known."""
    total = Resources()
    for bundle in group.bundles:
        total += Resources.of(bundle.resources)
    for outcome in _outcomes(snapshot, Request.GANG):
        named = outcome.label.split(" ")
        is_named = bool({group.name, group.group_id[:_SHORT_ID]} - {""} & set(named))
        if is_named or (outcome.resources == total and group.strategy in named):
            return reason_text(outcome.reason, now)
    return ""


def _outcomes(snapshot: Snapshot | None, kind: Request) -> list[Outcome]:
    return [one for one in snapshot.outcomes if one.kind is kind] if snapshot is not None else []
