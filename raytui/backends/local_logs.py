"""The ends of log files, fit for people: without colours and without Ray's own statistics."""

from __future__ import annotations

import re
from pathlib import Path

from raytui.backends.last_lines import last_lines

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_STATISTICS = re.compile(r"\[state-dump\]|- [\w ]+: \d+$")
_MOST_LINES = 400


def lines(path: Path) -> list[str]:
    """The last lines of a log, at most 400; none when it cannot be read."""
    try:
        kept = last_lines(path, _MOST_LINES, lambda line: not _STATISTICS.match(line))
    except OSError:
        return []
    return [_ESCAPES.sub("", line.rstrip()) for line in kept if line.strip()]


def tail(path: Path, count: int = 20) -> list[str]:
    """The last `count` lines."""
    return lines(path)[-count:]
