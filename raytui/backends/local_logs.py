"""The ends of log files, fit for people: without colours and without Ray's own statistics."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_STATISTICS = re.compile(r"\[state-dump\]|- [\w ]+: \d+$")
_MOST_LINES = 400


def lines(path: Path) -> list[str]:
    """The last lines of a log, at most 400; none when it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            kept = deque((line for line in file if not _STATISTICS.match(line)), maxlen=_MOST_LINES)
    except OSError:
        return []
    return [_ESCAPES.sub("", line.rstrip()) for line in kept if line.strip()]


def tail(path: Path, count: int = 20) -> list[str]:
    """The last `count` lines."""
    return lines(path)[-count:]
