"""The end of a text file that may be long, and may be written at this moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path


def last_lines(path: Path, count: int, wanted: Callable[[str], bool] | None = None) -> list[str]:
    """The last `count` lines, of those that are wanted, without their ends; raises OSError."""
    with path.open(encoding="utf-8", errors="replace") as file:
        kept = deque(filter(wanted, file) if wanted else file, maxlen=count)
    return [line.rstrip("\n") for line in kept]
