"""The daemon's log, read while it is written and rotated; its JSON lines as people read them."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from raytui.model.text import plain

_KNOWN = ("ts", "level", "event", "traceback")


def last_lines(path: Path, log: BinaryIO, count: int) -> Iterator[str]:
    """The last lines, those of the older part included when there are too few in `log`.

    Leaves `log` at its end, or after its last whole line.
    """
    found = deque(_whole_lines(log), maxlen=count)
    if len(found) < count:
        with contextlib.suppress(OSError), Path(f"{path}.1").open("rb") as older:
            before = deque(_whole_lines(older), maxlen=count - len(found))
            found.extendleft(reversed(before))
    yield from found


def new_lines(path: Path, log: BinaryIO, go_on: Callable[[], bool]) -> Iterator[str]:
    """Lines as they come, also in the files that take the place of `log`, as long as `go_on()`."""
    newest = log
    while True:
        yield from _whole_lines(newest)
        replaced = _opened_if_other(path, newest)
        if replaced is not None:
            yield from _whole_lines(newest)  # What came in between.
            newest = replaced
        elif not go_on():
            return


def readable(line: str) -> str:
    """`2026-11-23 15:04:05  warning  launch failed  node_type=gpu`, and a traceback below it."""
    try:
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["ts"]).astimezone()
        level, event = str(entry["level"]), str(entry["event"])
    except (ValueError, KeyError, TypeError):
        return plain(line)
    fields = [f"{name}={_value(v)}" for name, v in entry.items() if name not in _KNOWN]
    parts = [f"{at:%Y-%m-%d %H:%M:%S}", f"{level:<7}", event, *fields]
    below = [f"    {plain(row)}" for row in str(entry.get("traceback", "")).splitlines()]
    return "\n".join([plain("  ".join(parts)), *below])


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def _whole_lines(log: BinaryIO) -> Iterator[str]:
    """Lines from where it stands; one that is being written is left for the next time."""
    while line := log.readline():
        if not line.endswith(b"\n"):
            log.seek(-len(line), os.SEEK_CUR)
            return
        yield line.decode(errors="replace").rstrip("\n")


def _opened_if_other(path: Path, log: BinaryIO) -> BinaryIO | None:
    """The file that is at `path` now, if that is another one than `log`."""
    with contextlib.suppress(OSError):
        if not os.path.samestat(path.stat(), os.fstat(log.fileno())):
            return path.open("rb")
    return None
