"""Wait for the first nodes of a cluster that was brought up, and tell how their set-up goes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from raytui.autoscaler.daemon.control import Control, ControlError
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.snapshot import Snapshot
from raytui.model.step import LaunchError, Step, StepSink, StepStatus
from raytui.provisioning.progress import Progress, step

WAIT_S = 120.0
"""For nodes that only have to be started."""
SET_UP_WAIT_S = 1800.0
"""For nodes that have to be set up; whoever waits may leave at any time."""

_SETTLED_S = 10.0
"""So long after a start it may take until the autoscaler has asked for what is missing."""


def wait_for_first_nodes(
    paths: ClusterPaths, on_step: StepSink, *, within_s: float = WAIT_S
) -> None:
    """Until each node type has its floor, nothing more is under way, or time is up.

    That it takes long, or that a node fails, is no failure of the launch: the autoscaler goes on.
    Raises LaunchError when its daemon goes away.
    """
    with step(on_step, "wait for the first nodes") as progress:
        try:
            _wait(paths, on_step, progress, within_s)
        except ControlError as error:
            raise LaunchError(f"the autoscaler went away: {error}") from error


def _wait(paths: ClusterPaths, on_step: StepSink, progress: Progress, within_s: float) -> None:
    begin = time.monotonic()
    told: dict[tuple[str, str], Step] = {}
    with Control(paths.socket) as pictures, Control(paths.socket) as questions:
        for snapshot in pictures.snapshots(begin + within_s):
            steps = questions.setup_steps()
            for one in steps:
                if told.get((one.node, one.name)) != one:
                    told[one.node, one.name] = one
                    on_step(one)
            missing = _missing(snapshot)
            progress.say(missing or "all are running")
            if not missing and not _busy(steps):
                return
            held_up = _held_up(snapshot, steps, time.monotonic() - begin)
            if held_up:
                progress.skip(f"{missing}; {held_up}")
                return
    progress.skip("some are still starting; the autoscaler goes on")


def _missing(snapshot: Snapshot) -> str:
    """`1 of 2 cpu-small running`, or empty when every floor is reached.

    Only what is a node counts: what ran before the head's Ray was started again is not part of
    the new cluster. A head counts where its type has nothing but heads.
    """
    members = [row.member for row in snapshot.rows]
    running = Counter(
        (member.node_type, member.is_head)
        for member in members
        if member.node and member.instance and member.instance.status is InstanceStatus.RUNNING
    )
    short = [row for row in snapshot.types if running[row.name, row.is_head] < row.min]
    return ", ".join(
        f"{running[row.name, row.is_head]} of {row.min} {row.name} running" for row in short
    )


def _held_up(snapshot: Snapshot, steps: tuple[Step, ...], since_s: float) -> str:
    """Why waiting longer is of no use; empty while something is under way."""
    if snapshot.paused_by:
        return f"the autoscaler is paused by {snapshot.paused_by}"
    if snapshot.trouble:
        return snapshot.trouble
    failed = [one for one in steps if one.status is StepStatus.FAILED]
    stuck = {one.node for one in failed}
    if _busy(one for one in steps if one.node not in stuck):
        return ""
    under_way = [
        row
        for row in snapshot.rows
        if row.member.instance
        and row.member.instance.status in STARTING
        and row.member.instance.instance_id not in stuck
    ]
    if under_way or since_s < _SETTLED_S:
        return ""
    if failed:
        return f"the set-up of {', '.join(sorted(stuck))} failed; the autoscaler goes on trying"
    if snapshot.failures:
        return f"{snapshot.failures[0].message}; the autoscaler goes on trying"
    return ""


def _busy(steps: Iterable[Step]) -> bool:
    return any(one.status in (StepStatus.RUNNING, StepStatus.WAITING) for one in steps)
