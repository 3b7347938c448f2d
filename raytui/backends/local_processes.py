"""Which processes belong to a local node, whether it lives, and how it is stopped for good."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence

import psutil

from raytui.backends.marked_processes import INSTANCE_VARIABLE

CLUSTER_VARIABLE = "RAYTUI_CLUSTER"
"""Environment variable that names the cluster in every process of its nodes."""

_SAME_START_S = 2.0
"""Boot time, which start times derive from, moves a little when the clock is corrected."""
_POLL_S = 0.05


def started_at(pid: int) -> float:
    """Unix seconds when a process was started; 0 when it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def is_alive(pid: int, started: float) -> bool:
    """True when the very process that was started then still runs. A zombie does not."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < _SAME_START_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def session_members(pid: int, started: float) -> list[int]:
    """Live processes of the session that `pid` leads or led.

    Ray puts every worker into a process group of its own, and rewrites its title over its
    environment; but none leaves the session of `ray start`. The kernel gives a pid to nobody
    else while a session bears it, so a stranger at `pid` means that the session is gone.
    """
    if pid <= 1:
        return []
    now_there = started_at(pid)
    if now_there and abs(now_there - started) >= _SAME_START_S:
        return []
    return [other for other in psutil.pids() if _session(other) == pid and _runs(other)]


def find_member(pid: int, started: float, name: str) -> int:
    """Pid of a live process of this name in the session; 0 when there is none."""
    return next((m for m in session_members(pid, started) if _name(m) == name), 0)


def marked_processes(cluster: str) -> dict[int, str]:
    """Live processes by the environment they inherited: pid → instance id.

    Finds what left the session: job drivers, and children that user code started. Ourselves
    and our ancestors are left out: raytui may be run from inside a Ray job.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = {}
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get(CLUSTER_VARIABLE) != cluster or process.pid in spared:
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = environment.get(INSTANCE_VARIABLE, "")
        except (psutil.Error, OSError):
            continue
    return found


def find_leader(cluster: str, instance_id: str) -> int:
    """Pid of the `ray start` of an instance whose pid was never written down; 0 if none runs."""
    marked = marked_processes(cluster)
    leaders = [pid for pid, owner in marked.items() if owner == instance_id and _leads(pid)]
    return min(leaders, key=started_at, default=0)


def stop(leaders: Mapping[str, tuple[int, float]], cluster: str, grace_s: float) -> list[int]:
    """Stop all processes of instances, given as instance id → (pid, start time) of `ray start`.

    SIGTERM first; what lives after `grace_s` seconds gets SIGKILL. All instances share one
    wait. Returns the pids that survived even that, normally none.
    """
    asked: set[int] = set()
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        members = _members(leaders, cluster)
        if not members:
            return []
        _signal(members - asked, signal.SIGTERM)
        asked |= members
        _wait(members, deadline)
    killing_ends = time.monotonic() + 3.0
    while time.monotonic() < killing_ends:
        members = _members(leaders, cluster)
        if not members:
            return []
        _signal(members, signal.SIGKILL)
        _wait(members, min(killing_ends, time.monotonic() + 0.5))
    return sorted(_members(leaders, cluster))


def _members(leaders: Mapping[str, tuple[int, float]], cluster: str) -> set[int]:
    members = {pid for pid, owner in marked_processes(cluster).items() if owner in leaders}
    for pid, started in leaders.values():
        members.update(session_members(pid, started))
    return members


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _wait(pids: Iterable[int], deadline: float) -> None:
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _leads(pid: int) -> bool:
    return _session(pid) == pid and "ray.scripts.scripts" in _arguments(pid)


def _arguments(pid: int) -> Sequence[str]:
    try:
        return psutil.Process(pid).cmdline()
    except psutil.Error:
        return ()
