"""How a daemon does, asked from outside: its lock, its greeting, its newest snapshot."""

from __future__ import annotations

import time
from pathlib import Path

from msgspec import Struct

from raytui.autoscaler.daemon.actor_lock import DAEMON, holder
from raytui.autoscaler.daemon.control import Control, ControlError
from raytui.autoscaler.metrics.monitor import STALE_S
from raytui.config.locations import ClusterPaths
from raytui.model.snapshot import Snapshot
from raytui.model.state import SourceHealth

_ANSWER_WAIT_S = 5.0


class DaemonStatus(Struct, frozen=True):
    """What docs/operating.md promises of `raytui daemon status --json`."""

    cluster: str
    log: str
    """Path of its log."""
    running: bool = False
    """A daemon holds the cluster's lock."""
    answers: bool = False
    """It answers on its socket."""
    well: bool = False
    """It answers, its last round was a moment ago, and it is in no trouble."""
    problem: str = ""
    """Why it is not well, in one sentence."""
    pid: int | None = None
    since: float | None = None
    """Unix seconds."""
    version: str = ""
    last_tick_age_s: float | None = None
    sources: tuple[SourceHealth, ...] = ()
    paused_by: str = ""
    metrics_url: str = ""


def daemon_status(cluster: str, paths: ClusterPaths) -> DaemonStatus:
    """Ask; takes up to 10 s when the daemon is silent."""
    log = str(paths.log)
    held = holder(paths.lock)
    if held is None:
        return DaemonStatus(cluster, log, problem="no daemon runs")
    if held.what != DAEMON:
        return DaemonStatus(cluster, log, problem=f"no daemon runs; pid {held.pid}: {held.what}")
    try:
        version, snapshot = _ask(paths.socket)
    except ControlError as error:
        return DaemonStatus(
            cluster, log, running=True, problem=str(error), pid=held.pid, since=held.started_at
        )
    age_s = max(0.0, time.time() - snapshot.taken_at) if snapshot is not None else None
    problem = _problem(snapshot, age_s)
    return DaemonStatus(
        cluster,
        log,
        running=True,
        answers=True,
        well=not problem,
        problem=problem,
        pid=held.pid,
        since=held.started_at,
        version=version,
        last_tick_age_s=age_s,
        sources=snapshot.sources if snapshot is not None else (),
        paused_by=snapshot.paused_by if snapshot is not None else "",
        metrics_url=snapshot.info.metrics_url if snapshot is not None else "",
    )


def _ask(socket: Path) -> tuple[str, Snapshot | None]:
    """Its version, and its newest snapshot unless its first round is still under way."""
    with Control(socket, _ANSWER_WAIT_S) as control:
        snapshots = control.snapshots(time.monotonic() + _ANSWER_WAIT_S)
        return control.hello.raytui, next(snapshots, None)


def _problem(snapshot: Snapshot | None, age_s: float | None) -> str:
    if snapshot is None or age_s is None:
        return "its first round is not over yet"
    if age_s > STALE_S:
        return snapshot.trouble or f"its last round was {age_s:.0f} s ago"
    return snapshot.trouble
