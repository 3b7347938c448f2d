"""Start and stop the daemon of a cluster on this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from raytui.autoscaler.daemon.actor_lock import DAEMON, Holder, LockHeldError, holder
from raytui.autoscaler.daemon.control import Control, ControlError, greet
from raytui.backends.last_lines import last_lines
from raytui.config.locations import ClusterPaths
from raytui.launcher.service import DAEMON_MARK, start_service, usable_service
from raytui.model.command import Stop
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError
from raytui.provisioning.progress import Progress

_START_WAIT_S = 60.0
_ORDERLY_WAIT_S = 40.0
"""A daemon ends the tick under way (up to 30 s) before it lets go."""

_SIGNAL_WAIT_S = 10.0
_LOOK_EVERY_S = 0.05

_LINES_TOLD = 20


def daemon_runs(paths: ClusterPaths) -> bool:
    """Whether a daemon greets on the cluster's socket."""
    return greet(paths.socket) is not None


def start_daemon(spec: ClusterSpec, paths: ClusterPaths, progress: Progress) -> None:
    """Start a detached daemon and wait until it greets; raises LaunchError with its last words.

    On a head, where nobody looks after it, it is a service or is kept (service.py, keeper.py).
    """
    service = usable_service(spec) if spec.on_head else None
    if service is not None:
        start_service(service, paths.log)
        hello = greet(paths.socket)
        progress.say(f"pid {hello.pid}, {service.name}" if hello else service.name)
        return
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


def stop_daemon(paths: ClusterPaths, progress: Progress) -> bool:
    """Stop the daemon and wait until the cluster's lock is free; False when nobody held it.

    Asked over its socket first, then by SIGTERM, then by SIGKILL (the ledger survives it); who
    keeps it ends with it. Raises LaunchError when another `up` or `down` is at work on the
    cluster, or nothing helps.
    """
    held, keeper = holder(paths.lock), holder(paths.keeper)
    if held is None and keeper is None:
        return False
    if held is not None and held.what != DAEMON:
        raise LaunchError(f"{LockHeldError(paths.lock, held)}; try again when it is done")
    asked = False
    if held is not None:
        progress.say(f"pid {held.pid}")
        with contextlib.suppress(ControlError), Control(paths.socket, timeout_s=5.0) as control:
            asked = control.send(Stop()).ok
    if asked and _freed(paths, _ORDERLY_WAIT_S):
        return True
    for number, wait_s in ((signal.SIGTERM, _SIGNAL_WAIT_S), (signal.SIGKILL, _SIGNAL_WAIT_S)):
        # The keeper first and in any case in order, or it would start another daemon.
        for lock, how in ((paths.keeper, signal.SIGTERM), (paths.lock, number)):
            held = holder(lock)
            if held is not None and held.alive():
                progress.say(f"{signal.Signals(how).name} to pid {held.pid}")
                _signal(held, how)
        if _freed(paths, wait_s):
            return True
    raise LaunchError(f"whoever holds {paths.lock} or {paths.keeper} does not let go")


def _signal(held: Holder, number: int) -> None:
    # psutil compares start times again right before it signals.
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(held.pid).send_signal(number)


def _freed(paths: ClusterPaths, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while holder(paths.lock) is not None or holder(paths.keeper) is not None:
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


def _tail(path: Path) -> str:
    try:
        return "\n".join(last_lines(path, _LINES_TOLD))
    except OSError:
        return ""
