"""Start and stop the daemon of a cluster on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil

from raytui.autoscaler.daemon.actor_lock import DAEMON, Holder, LockHeldError, holder
from raytui.autoscaler.daemon.control import Control, ControlError, greet
from raytui.autoscaler.loop.ledger_rescue import open_ledger
from raytui.config.locations import ClusterPaths
from raytui.model.command import Stop
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError, StepSink
from raytui.provisioning.progress import Progress, step

DAEMON_MARK = "RAYTUI_DAEMON"
"""Environment variable that names the cluster in a daemon's processes."""

RAYS_AUTOSCALER = "Ray's own autoscaler"
"""Who has paused ours where Ray's own scales the cluster."""

_START_WAIT_S = 60.0
_ORDERLY_WAIT_S = 40.0
"""A daemon ends the tick under way (up to 30 s) before it lets go."""

_SIGNAL_WAIT_S = 10.0
_LOOK_EVERY_S = 0.05


def daemon_runs(paths: ClusterPaths) -> bool:
    """Whether a daemon greets on the cluster's socket."""
    return greet(paths.socket) is not None


def start_daemon(spec: ClusterSpec, paths: ClusterPaths, progress: Progress) -> None:
    """Start a detached daemon and wait until it greets; raises LaunchError with its last words.

    On a head, where nobody looks after it, it is kept (keeper.py).
    """
    verb = "keep" if spec.on_head else "run"
    target = spec.source if spec.source and Path(spec.source).is_file() else spec.cluster_name
    output = paths.output
    fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    with os.fdopen(fd, "wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "raytui", "daemon", verb, "--log-only", target],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**os.environ, DAEMON_MARK: spec.cluster_name},
            start_new_session=True,
        )
    end = time.monotonic() + _START_WAIT_S
    while True:
        hello = greet(paths.socket)
        if hello is not None:
            progress.say(f"pid {hello.pid}")
            return
        if process.poll() is not None:
            raise LaunchError(
                f"the autoscaler of {spec.cluster_name} ended with exit code "
                f"{process.returncode}: {_last_line(output) or 'no words'}",
                _read(output) + _tail(paths.log),
            )
        if time.monotonic() > end:
            _end(process)
            raise LaunchError(
                f"the autoscaler of {spec.cluster_name} did not answer in {_START_WAIT_S:g} s; "
                f"its log: {paths.log}",
                _read(output) + _tail(paths.log),
            )
        time.sleep(_LOOK_EVERY_S)


def start_daemon_anew(
    spec: ClusterSpec, paths: ClusterPaths, on_step: StepSink, *, watch_only: bool = False
) -> None:
    """Start a daemon in place of the one that may run; raises LaunchError.

    With `watch_only` it is paused from its first round on, beside an autoscaler of Ray's own.
    """
    paths.make()
    with step(on_step, "stop the old autoscaler") as progress:
        if not stop_daemon(paths, progress):
            progress.skip("none runs")
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


def stop_daemon(paths: ClusterPaths, progress: Progress) -> bool:
    """Stop the daemon and wait until the cluster's lock is free; False when nobody held it.

    Asked over its socket first, then by SIGTERM, then by SIGKILL (the ledger survives it). Raises
    LaunchError when another `up` or `down` is at work on the cluster, or nothing helps.
    """
    held = holder(paths.lock)
    if held is None:
        return False
    if held.what != DAEMON:
        raise LaunchError(f"{LockHeldError(paths.lock, held)}; try again when it is done")
    progress.say(f"pid {held.pid}")
    asked = False
    with contextlib.suppress(ControlError), Control(paths.socket, timeout_s=5.0) as control:
        asked = control.send(Stop()).ok
    if asked and _freed(paths, _ORDERLY_WAIT_S):
        return True
    for number, wait_s in ((signal.SIGTERM, _SIGNAL_WAIT_S), (signal.SIGKILL, _SIGNAL_WAIT_S)):
        held = holder(paths.lock)
        if held is None:
            return True
        keeper = holder(paths.keeper)
        if keeper is not None:
            _signal(keeper, signal.SIGTERM)  # Or it would start the next one.
        if held.alive():
            progress.say(f"{signal.Signals(number).name} to pid {held.pid}")
            _signal(held, number)
        if _freed(paths, wait_s):
            return True
    raise LaunchError(f"pid {held.pid} does not let go of {paths.lock}")


def _signal(held: Holder, number: int) -> None:
    # psutil compares start times again right before it signals.
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(held.pid).send_signal(number)


def _freed(paths: ClusterPaths, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while holder(paths.lock) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_SIGNAL_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(path: Path) -> str:
    lines = _read(path).strip().splitlines()
    return lines[-1] if lines else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _tail(path: Path, lines: int = 20) -> str:
    return "\n".join(_read(path).splitlines()[-lines:])
