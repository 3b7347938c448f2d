"""Keeps a daemon where no service manager does: starts it again when it ended in trouble."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time

from raytui.autoscaler.daemon.actor_lock import ActorLock
from raytui.autoscaler.daemon.control import greet
from raytui.config.locations import ClusterPaths

_LOOK_S = 0.2
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_WELL_S = 300.0
"""Who ran for so long begins again with short pauses."""
_LAST_ROUND_S = 45.0


def keep(target: str, paths: ClusterPaths) -> int:
    """Run the daemon of `target` until it ends in order or this process is told to; its exit code.

    A daemon that fails before it has ever greeted is not started again: whoever started it is
    there to be told. Raises LockHeldError when the cluster has a keeper.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with ActorLock(paths.keeper, "keeper"):
        greeted, pause_s = False, _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            code, answers = _run(target, paths, stopping)
            greeted |= answers
            if code == 0 or stopping.is_set() or not greeted:
                return code
            if time.monotonic() - began > _WELL_S:
                pause_s = _FIRST_PAUSE_S
            print(f"the daemon ended with {code}; again in {pause_s:g} s", flush=True)
            if stopping.wait(pause_s):
                return code
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _run(target: str, paths: ClusterPaths, stopping: threading.Event) -> tuple[int, bool]:
    """One life of the daemon: its exit code, and whether it ever greeted."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "raytui", "daemon", "run", "--log-only", target],
        stdin=subprocess.DEVNULL,
    )
    greeted = False
    while process.poll() is None:
        if stopping.wait(_LOOK_S):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LAST_ROUND_S)
            process.kill()
            break
        greeted = greeted or greet(paths.socket) is not None
    return process.wait(), greeted
