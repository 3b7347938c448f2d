"""The end of a story: faults off, the cluster must become what its work needs, then its floors."""

from __future__ import annotations

import math
from collections import Counter

from raytui.model.command import (
    Command,
    HoldNodes,
    ReleaseNodes,
    RequestResources,
    Resume,
    SetCeiling,
    SetFloor,
)
from raytui.model.leaving import OrphanPolicy
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Wait
from raytui.model.reason import Why
from raytui.model.resources import Resources
from raytui.model.spec import NodeType
from raytui.model.state import Strategy
from tests.simulation.cloud import Machine
from tests.simulation.invariants import BrokenInvariant
from tests.simulation.raycluster import Group, Work, matches
from tests.simulation.story import Story

_PATIENCE_S = 3000.0
"""Longer than any time-out or pause of the loop: set-up takes at most ten minutes and so does the
pause after a failure that came ten times in a row."""
_LASTING = (Why.MAX_WORKERS_TYPE, Why.MAX_WORKERS_GLOBAL, Why.GANG_TOO_FEW_NODES)


def end_well(story: Story) -> None:
    """Raise BrokenInvariant unless the cluster converges twice: to its work, then to its floors."""
    _calm_down(story)
    _wait(story, "converges", _unsettled)
    for words in _unfounded(story):
        raise BrokenInvariant("converges", words)
    story.say("all work ends")
    story.truth.clear()
    _wait(story, "goes_back_to_its_floors", _above_floors)


def _calm_down(story: Story) -> None:
    story.say("the weather is calm from here on")
    story.weather.calm()
    story.provider.calm()
    story.gcs.calm()
    story.calm()
    for task in story.truth.tasks:
        task.seconds = task.ends_at = math.inf  # what is there now is what has to be served
    for node in list(story.truth.nodes.values()):
        if node.draining and not node.drains_until:
            story.cloud.die(node.machine, "dies")  # its work has no end, and who drains it ends it
    for machine in story.cloud.alive.values():
        machine.dies_at = machine.noticed_at = machine.drained_at = math.inf
        machine.listed_from = min(machine.listed_from, story.clock.now)
    for machine in story.cloud.machines.values():
        if not machine.alive and machine.listed_until < math.inf:
            machine.listed_until = min(machine.listed_until, story.clock.now + 10)
    while story.daemon is None:
        story.step(5.0, people=False)
    orders: list[Command] = [Resume(), RequestResources(())]
    for kind in story.spec.worker_types:
        orders += [SetFloor(kind.name, None), SetCeiling(kind.name, None)]
    held = [o.command for o in story.seen.orders if isinstance(o.command, HoldNodes)]
    ids = tuple(dict.fromkeys(i for command in held for i in command.instance_ids))
    if ids:
        orders.append(ReleaseNodes(ids))
    for number, order in enumerate(orders):
        story.order(order, f"end-{number}@laptop")


def _wait(story: Story, name: str, obstacle: object) -> None:
    """Step until nothing stands in the way, with longer steps the longer it takes."""
    assert callable(obstacle)
    began = story.clock.now
    while True:
        waited = story.clock.now - began
        story.step(2.0 if waited < 20 else 10.0 if waited < 200 else 30.0, people=False)
        words = obstacle(story)
        if not words:
            return
        if waited > _PATIENCE_S:
            raise BrokenInvariant(name, f"after {waited:.0f} s {words}")


def _leaking(story: Story) -> str:
    """What keeps the ledger and the provider from being the same."""
    seen = story.seen
    if not story.network.quiet:
        return "calls are under way"
    if story.snapshot is None or story.snapshot.trouble:
        return f"there is trouble: {story.snapshot.trouble if story.snapshot else 'no tick'}"
    if seen.disk.open_requests():
        return f"requests are open: {[r.request_id for r, _ in seen.disk.open_requests()]}"
    there, rows = set(_ours(story)), set(seen.rows)
    if there != rows:
        return f"without a row: {sorted(there - rows)}; without a machine: {sorted(rows - there)}"
    moving = [n for n, row in seen.rows.items() if row.status is not InstanceStatus.RUNNING]
    return f"not running: {moving}" if moving else ""


def _ours(story: Story) -> dict[str, Machine]:
    """Machines that are alive, without the orphans that policy keeps."""
    assert story.snapshot is not None
    kept = {
        row.id
        for row in story.snapshot.rows
        if row.member.instance is not None and row.member.instance.orphan
    }
    if story.spec.orphans is OrphanPolicy.TERMINATE:
        kept.clear()
    return {name: m for name, m in story.cloud.alive.items() if name not in kept}


def _unsettled(story: Story) -> str:
    """What keeps the cluster from serving its work, as far as its own words go."""
    leaking = _leaking(story)
    if leaking:
        return leaking
    assert story.snapshot is not None
    for outcome in story.snapshot.outcomes:
        why = outcome.reason.why
        if outcome.wait is Wait.INFEASIBLE or (outcome.wait is Wait.BLOCKED and why in _LASTING):
            continue
        return f"{outcome.label} waits: {outcome.wait}, {why}"
    waiting = sum(1 for _ in story.truth.pending())
    told = sum(o.count for o in story.snapshot.outcomes if o.kind.value == "demand")
    return f"{waiting} requests wait and {told} are told of" if waiting != told else ""


def _unfounded(story: Story) -> list[str]:
    """Reasons that do not hold: work waits though a node that could run it may be launched."""
    there = Counter(m.instance.node_type for m in story.cloud.alive.values())
    spec = story.spec
    in_all = len(story.cloud.alive) - 1
    left = {
        kind.name: min(kind.max_workers - there[kind.name], spec.max_workers - in_all)
        for kind in spec.worker_types
    }
    words = []
    for task in story.truth.pending():
        for kind in spec.worker_types:
            if left[kind.name] > 0 and _could_run(kind, task):
                words.append(f"{task.name} waits and {kind.name} could run it")
    for group in story.truth.groups:
        if not group.placed:
            words += [
                f"{group.gang_id} waits and {kind.name} could hold it"
                for kind in spec.worker_types
                if _nodes_for(group, kind) <= left[kind.name]
            ]
    return words


def _could_run(kind: NodeType, work: Work) -> bool:
    labels = {"ray.io/node-group": kind.name, **kind.labels}
    return work.shape.fits(kind.resources) and matches(work.selector, labels)


def _nodes_for(group: Group, kind: NodeType) -> float:
    """Enough new nodes of one type for a placement group; more than there can be if it cannot."""
    if group.strategy is Strategy.STRICT_PACK:
        whole = Resources()
        for bundle in group.bundles:
            whole = whole + bundle.shape
        return 1 if whole.fits(kind.resources) else math.inf
    fits = all(bundle.shape.fits(kind.resources) for bundle in group.bundles)
    return len(group.bundles) if fits else math.inf


def _above_floors(story: Story) -> str:
    """What keeps the idle cluster from being as small as its floors."""
    leaking = _leaking(story)
    if leaking:
        return leaking
    spec = story.spec
    there = Counter(m.instance.node_type for m in _ours(story).values())
    floors = {kind.name: kind.min_workers for kind in spec.worker_types}
    for name, floor in floors.items():
        if there[name] > floor:
            return f"{there[name]} {name} stay, {floor} are the floor"
        orphans = len(story.cloud.alive) - len(_ours(story))  # they take places
        if there[name] < floor and sum(floors.values()) <= spec.max_workers and not orphans:
            return f"{there[name]} {name} are there, {floor} are the floor"
    return ""
