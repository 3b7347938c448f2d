"""Put a daemon in the place of the one that may run."""

from __future__ import annotations

import contextlib
import time

import msgspec

from raytui.autoscaler.loop.ledger_rescue import open_ledger
from raytui.config.locations import ClusterPaths
from raytui.launcher.daemon_process import start_daemon, stop_daemon
from raytui.launcher.down_here import end_workers
from raytui.launcher.head import find_head
from raytui.model.spec import ClusterSpec
from raytui.model.step import StepSink
from raytui.provisioning.head_process import ray_session
from raytui.provisioning.progress import step
from raytui.provisioning.registry import provider_for

RAYS_AUTOSCALER = "Ray's own autoscaler"
"""Who has paused ours where Ray's own scales the cluster."""


def start_daemon_anew(
    spec: ClusterSpec,
    paths: ClusterPaths,
    on_step: StepSink,
    *,
    watch_only: bool = False,
) -> None:
    """Stop the daemon that may run, and start one; raises LaunchError and ProviderError.

    Nodes of a Ray that has been started anew on the head since the last time are ended first. With
    `watch_only` the daemon is paused from its first round on, beside an autoscaler of Ray's own.
    """
    paths.make()
    with step(on_step, "stop the old autoscaler") as progress:
        if not stop_daemon(paths, progress):
            progress.skip("none runs")
    _end_nodes_of_another_ray(spec, paths, on_step)
    with step(on_step, "start the autoscaler") as progress:
        _set_watching(paths, watch_only=watch_only)
        start_daemon(spec, paths, progress)


def _end_nodes_of_another_ray(spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink) -> None:
    """Nodes of an earlier session do not join a new one; it is noted when none is left."""
    note = paths.dir / "ray_session"
    head = find_head(provider_for(spec, paths)) if spec.on_head else None
    now = ray_session(head.instance_id) if head else ""
    before = note.read_text() if note.exists() else ""
    if before != now:
        end_workers(spec, paths, on_step)
    note.write_text(now)


def _set_watching(paths: ClusterPaths, *, watch_only: bool) -> None:
    """Pause for the sake of Ray's autoscaler, or end such a pause; people's own pauses stay."""
    with contextlib.closing(open_ledger(paths.ledger, time.time())) as ledger:
        memory = ledger.memory()
        if watch_only != (memory.paused_by == RAYS_AUTOSCALER):
            paused_by = RAYS_AUTOSCALER if watch_only else ""
            ledger.save_memory(msgspec.structs.replace(memory, paused_by=paused_by))
