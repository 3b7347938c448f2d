"""Put a daemon in the place of the one that may run."""

from __future__ import annotations

import contextlib
import time

import msgspec

from raytui.autoscaler.loop.ledger_rescue import open_ledger
from raytui.config.locations import ClusterPaths
from raytui.launcher.daemon_process import start_daemon, stop_daemon
from raytui.launcher.down_here import end_workers
from raytui.model.spec import ClusterSpec
from raytui.model.step import StepSink
from raytui.provisioning.progress import step

RAYS_AUTOSCALER = "Ray's own autoscaler"
"""Who has paused ours where Ray's own scales the cluster."""


def start_daemon_anew(
    spec: ClusterSpec,
    paths: ClusterPaths,
    on_step: StepSink,
    *,
    new_ray: bool = False,
    watch_only: bool = False,
) -> None:
    """Stop the daemon that may run, and start one; raises LaunchError and ProviderError.

    With `new_ray` the head's Ray has been started again: nodes of the one before are ended. With
    `watch_only` the daemon is paused from its first round on, beside an autoscaler of Ray's own.
    """
    paths.make()
    with step(on_step, "stop the old autoscaler") as progress:
        if not stop_daemon(paths, progress):
            progress.skip("none runs")
    if new_ray:
        end_workers(spec, paths, on_step)
    with step(on_step, "start the autoscaler") as progress:
        _set_watching(paths, watch_only=watch_only)
        start_daemon(spec, paths, progress)


def _set_watching(paths: ClusterPaths, *, watch_only: bool) -> None:
    """Pause for the sake of Ray's autoscaler, or end such a pause; people's own pauses stay."""
    with contextlib.closing(open_ledger(paths.ledger, time.time())) as ledger:
        memory = ledger.memory()
        if watch_only != (memory.paused_by == RAYS_AUTOSCALER):
            paused_by = RAYS_AUTOSCALER if watch_only else ""
            ledger.save_memory(msgspec.structs.replace(memory, paused_by=paused_by))
