"""A damaged ledger: moved aside, never deleted; what can be read of it goes on in a new file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from raytui.autoscaler.loop.ledger import Ledger, LedgerDamagedError, LedgerError
from raytui.backends.base import LaunchRequest
from raytui.model.codec import decode
from raytui.model.command import Ack
from raytui.model.plan import Decision, Memory
from raytui.model.snapshot import Event, Level
from raytui.model.state import Instance
from raytui.model.text import count_text

_COLUMNS: dict[str, tuple[tuple[str, ...], str, type]] = {
    # Every table of the ledger: its columns, the one that holds a word of ours, and which word.
    "meta": (("key", "value"), "value", Memory),
    "requests": (("request_id", "at", "decision_id", "body", "outcome"), "body", LaunchRequest),
    "instances": (("instance_id", "request_id", "final", "updated", "body"), "body", Instance),
    "transitions": (("id", "instance_id", "at", "status", "cause"), "", str),
    "decisions": (("decision_id", "at", "body", "outcome"), "body", Decision),
    "events": (("event_id", "at", "body"), "body", Event),
    "answers": (("number", "command_id", "at", "body"), "body", Ack),
}
_FARTHEST = 2**62


class _Haul(Struct):
    """What was read of one table."""

    rows: list[tuple[Any, ...]]
    whole: bool = True
    """False when some of it could not be read."""


def open_ledger(path: Path, now: float) -> Ledger:
    """The ledger of an autoscaler that starts, or starts over, at `now` (unix seconds).

    A damaged file is moved aside under a name with the time in it, and what is readable of it
    (row by row) is the new ledger, whose journal says what was lost. Raises LedgerError when the
    file cannot be used for any other reason.
    """
    try:
        ledger = Ledger(path)
        try:
            ledger.check()
        except BaseException:
            ledger.close()
            raise
        return ledger
    except LedgerDamagedError as damage:
        try:
            _replace(path, str(damage), now)
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(f"{damage}, and could not be replaced: {error}") from error
        return Ledger(path)


def _replace(path: Path, damage: str, now: float) -> None:
    """Put a new file in the place of the damaged one; a crash on the way leaves one of the two."""
    hauls = _salvage(path)
    stamp = datetime.fromtimestamp(now).strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    new = path.with_name(f"{path.name}.new")
    _forget(new)
    ledger = Ledger(new)
    try:
        _fill(ledger, hauls)
        text = f"the ledger was damaged; {_saved(hauls)}"
        detail = f"{damage}\nThe damaged file is now {aside}.\n{_lost(hauls)}"
        ledger.add_event(Event(0, now, Level.ERROR, text, detail))
    finally:
        ledger.close()
    os.link(path, aside)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    new.replace(path)


def _forget(path: Path) -> None:
    """Remove what an earlier attempt may have left."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _salvage(path: Path) -> dict[str, _Haul]:
    """All that can be read of every table. The file is only read."""
    hauls = {}
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        # With this SQLite reads a file that is shorter than it should be, too.
        db.execute("PRAGMA writable_schema=ON")
        for table, (columns, worded, word) in _COLUMNS.items():
            haul = hauls[table] = _Haul([])
            place = columns.index(worded) if worded else -1
            for row in _rows(db, table, columns):
                if row is None or not (place < 0 or _is_word(row[place], word)):
                    haul.whole = False
                else:
                    haul.rows.append(row)
    return hauls


def _rows(
    db: sqlite3.Connection, table: str, columns: Iterable[str]
) -> Iterator[tuple[Any, ...] | None]:
    """Every row that can be read, in order; None for a damaged place, which is jumped over.

    The jumps double, so that a page is passed in a few and a table without an end in some sixty.
    """
    names = ", ".join(columns)
    # Names are ours. The table itself is read, not an index, which may be damaged elsewhere.
    query = (
        f"SELECT rowid, {names} FROM {table} NOT INDEXED "  # noqa: S608
        "WHERE rowid > ? ORDER BY rowid"
    )
    last, jump = -1, 1
    while last < _FARTHEST:
        try:
            for rowid, *values in db.execute(query, (last,)):
                last, jump = rowid, 1
                yield tuple(values)
        except sqlite3.DatabaseError:
            yield None
            last += jump
            jump *= 2
        else:
            return


def _is_word(text: bytes | str, word: type) -> bool:
    try:
        decode(text, word)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _fill(ledger: Ledger, hauls: dict[str, _Haul]) -> None:
    for table, (columns, _, _) in _COLUMNS.items():
        ledger.restore(table, columns, hauls[table].rows)


def _saved(hauls: dict[str, _Haul]) -> str:
    running = [row for row in hauls["instances"].rows if not row[2]]
    asked = [row for row in hauls["requests"].rows if not row[4]]
    if not any(haul.rows for haul in hauls.values()):
        return "nothing of it could be read: starting afresh"
    memory = "" if hauls["meta"].rows else "; floors, holds and a pause are forgotten"
    return (
        f"recovered {count_text(len(running), 'instance')}, "
        f"{count_text(len(asked), 'open request')}, "
        f"{count_text(len(hauls['events'].rows), 'event')}{memory}"
    )


def _lost(hauls: dict[str, _Haul]) -> str:
    torn = [table for table, haul in hauls.items() if not haul.whole]
    if not torn:
        return "Every row could be read."
    return (
        f"Not all could be read of: {', '.join(torn)}. "
        "What runs and has no row any more is adopted when it runs this cluster's Ray."
    )
