"""Files that outlive a crash: each as it was or as it should be, changed by one at a time."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER_ONLY = 0o600


def write_durably(
    path: Path, content: bytes, *, first: bool = False, mode: int = OWNER_ONLY
) -> None:
    """Put `content` at `path`; it is on disk when this returns. A reader sees old or new, whole.

    Raises OSError, and FileExistsError if it should be the `first` there but is not.
    """
    # One name for each writer: those that take no turns must not write into the same draft.
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if first:
            os.link(draft, path)  # fails when the name exists, unlike a rename
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Exclude all others who lock this file: threads and processes. The kernel frees it at death.

    A child between fork and exec holds it too, so whoever gets it after a crash finds what was
    to be started either not begun or visible in the process table.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    """A new name, too, is on disk only then."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
