"""One actor per cluster: an exclusive lock on a file that tells who holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

DAEMON = "daemon"
"""What the autoscaler calls itself in the lock."""


class Holder(Struct, frozen=True):
    """The process that holds a lock. The pair is unique: pids come again, start times do not."""

    pid: int
    started_at: float
    """When the process started (unix seconds, as the kernel tells)."""
    what: str = DAEMON
    """What it does with the cluster, in a word or two."""

    def alive(self) -> bool:
        """Whether this very process still runs."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started_at) < 0.5
        except psutil.Error:
            return False


class LockHeldError(Exception):
    """Another process acts on this cluster."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        who = f"pid {holder.pid} ({holder.what})" if holder else "another process"
        super().__init__(f"{who} holds {path}")
        self.path = path
        self.holder = holder


class ActorLock:
    """Holds a cluster's lock from `with` to its end, or from `take` to the end of the process.

    The file stays when the lock is let go: removing it would let two processes lock two files
    of the same name.
    """

    def __init__(self, path: Path, what: str = DAEMON) -> None:
        self._path = path
        self._what = what
        self._fd = -1

    def take(self) -> ActorLock:
        """Take the lock; raises LockHeldError at once when somebody has it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise LockHeldError(self._path, _read(self._path)) from None
        me = Holder(os.getpid(), psutil.Process().create_time(), self._what)
        os.ftruncate(fd, 0)
        os.pwrite(fd, msgspec.json.encode(me) + b"\n", 0)
        self._fd = fd
        return self

    def __enter__(self) -> ActorLock:
        return self.take()

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
        self._fd = -1


def holder(path: Path) -> Holder | None:
    """Who holds the lock now; None when it is free."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(path) or Holder(0, 0.0, "unknown")
    finally:
        os.close(fd)
    return None


def _read(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None
