"""Read a file without trusting it: only regular files, never more than a megabyte, never a hang."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from raytui.config.problems import Problems

LARGEST = 1 << 20
"""Bytes. A cluster file of a thousand node types has a tenth of this."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_file(path: str, problems: Problems) -> bytes | None:
    """The bytes of a regular file; None, with a problem noted, when it cannot be had."""
    try:
        # Looking first keeps us from opening a device, which may do something; O_NONBLOCK keeps
        # us from waiting for a pipe that took the file's place in between.
        if not _is_regular(Path(path).stat(), problems):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not _is_regular(status, problems):
                return None
            data = file.read(LARGEST + 1)
    except OSError as error:
        problems.add((), f"cannot be read: {error.strerror or error}")
        return None
    except ValueError as error:  # a NUL byte in the path
        problems.add((), f"is not the name of a file: {error}")
        return None
    if len(data) > LARGEST:
        size = max(status.st_size, len(data))
        problems.add((), f"is too large for a cluster file: {size:,} bytes", _SIZE_HINT)
        return None
    return data


_SIZE_HINT = f"at most {LARGEST:,} bytes"


def _is_regular(status: os.stat_result, problems: Problems) -> bool:
    if stat.S_ISREG(status.st_mode):
        return True
    kind = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
    problems.add((), f"is {kind}, not a file")
    return False
