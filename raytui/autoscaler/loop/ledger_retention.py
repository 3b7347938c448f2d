"""How much of the past the ledger keeps, and how it lets go of the rest in small steps."""

from __future__ import annotations

import math
import sqlite3

from msgspec import Struct

_ROWS_A_STEP = 200
_NEWEST_KEPT = 100
"""So many of what is numbered stay however old they are: no number is given twice, and a quiet
cluster still tells of its last deeds."""
_PAGES_A_STEP = 1000
_LOOSE_PAGES = 256
"""Free pages that are left in the file for what comes next: 1 MiB."""

_ENDED = (
    "DELETE FROM instances WHERE instance_id IN (SELECT instance_id FROM instances "
    "WHERE final = 1 AND updated < :before ORDER BY updated LIMIT :rows)",
    "DELETE FROM requests WHERE request_id IN (SELECT request_id FROM requests "
    "WHERE outcome != '' AND at < :before ORDER BY at LIMIT :rows)",
)
_NUMBERED = tuple(
    f"DELETE FROM {table} WHERE {key} < (SELECT min({key}) FROM {table}) + :rows "  # noqa: S608
    f"AND {key} <= (SELECT max({key}) FROM {table}) - :newest AND at < :before"
    for table, key in (("events", "event_id"), ("decisions", "decision_id"), ("transitions", "id"))
)
PRUNING = (*_ENDED, *_NUMBERED)
"""One step each; open instances and requests, and what planning remembers, are never touched."""


class Retention(Struct, frozen=True):
    """Ended instances, answered requests, events and decisions are kept this long."""

    age_s: float = 30 * 86_400.0
    size: int = 200 << 20
    """Bytes of the file; above it the oldest go first, whatever their age."""


def prune(db: sqlite3.Connection, keep: Retention, now: float) -> None:
    """One small step, inside a transaction: some milliseconds when there is something to do."""
    before = math.inf if _used(db) > keep.size else now - keep.age_s
    step = {"before": before, "rows": _ROWS_A_STEP, "newest": _NEWEST_KEPT}
    for statement in PRUNING:
        db.execute(statement, step)


def give_back(db: sqlite3.Connection) -> None:
    """Let the file shrink by what was deleted; outside of a transaction."""
    free: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    if free > _LOOSE_PAGES:
        # A script, because this pragma does a page a step and `execute` takes one step only.
        db.executescript(f"PRAGMA incremental_vacuum({_PAGES_A_STEP})")


def _used(db: sqlite3.Connection) -> int:
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
