"""What the program's exit code means; the same for every command."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes. stdout is data, stderr is talk; the code is the verdict."""

    OK = 0
    """It was done."""
    FAILED = 1
    """It was tried and failed, or was refused."""
    USAGE = 2
    """The command line or the cluster file is wrong; nothing was done."""
    UNREACHABLE = 3
    """The cluster or its daemon cannot be reached."""
    TIMEOUT = 4
    """It did not happen in time; it may still happen."""
    INTERRUPTED = 130
    """Ctrl-C, or a question answered with no."""
