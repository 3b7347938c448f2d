"""The ledger: what was intended, what became of it, and why, on disk before the world changes.

SQLite in WAL mode with full synchronisation: a crash at any instruction leaves every intent that
was acted on. History is bounded, so a tick costs the same on the first day and in the third year.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from raytui.autoscaler.explain import summarise
from raytui.backends.base import LaunchRequest
from raytui.model.codec import decode, encode
from raytui.model.lifecycle import FINAL, InstanceStatus
from raytui.model.plan import Decision, Memory, Plan
from raytui.model.snapshot import Event
from raytui.model.state import Instance

SCHEMA_VERSION = 1
_KEEP_DECISIONS = 5_000
_KEEP_EVENTS = 20_000
_KEEP_ENDED = 10_000
_PRUNE_EVERY = 500

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE requests (
    request_id TEXT PRIMARY KEY, at REAL NOT NULL, decision_id INTEGER NOT NULL,
    body BLOB NOT NULL, outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX open_requests ON requests (request_id) WHERE outcome = '';
CREATE TABLE instances (
    instance_id TEXT PRIMARY KEY, request_id TEXT NOT NULL, final INTEGER NOT NULL,
    updated REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX open_instances ON instances (instance_id) WHERE final = 0;
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY, instance_id TEXT NOT NULL, at REAL NOT NULL,
    status TEXT NOT NULL, cause TEXT NOT NULL
);
CREATE TABLE decisions (
    decision_id INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL,
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE TABLE events (event_id INTEGER PRIMARY KEY, at REAL NOT NULL, body BLOB NOT NULL);
"""


class LedgerError(Exception):
    """The ledger cannot be used; `str()` says which file and what to do."""


class Ledger:
    """One cluster's ledger. Safe to use from several threads."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file at `path`; None keeps everything in memory (simulations)."""
        self._path = path
        self._lock = threading.RLock()
        self._writes = 0
        try:
            name = ":memory:" if path is None else path
            self._db = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
            if path is not None:
                path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._migrate()
        except sqlite3.Error as error:
            raise LedgerError(f"{path}: {error}; move the file away to start afresh") from error

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise LedgerError(f"{self._path} was written by a newer raytui; upgrade raytui")
        if version == 0:
            self._db.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen together or not at all. May be nested."""
        with self._lock:
            outermost = not self._db.in_transaction
            if outermost:
                self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if outermost:
                    self._db.execute("ROLLBACK")
                raise
            if outermost:
                self._db.execute("COMMIT")
                self._prune_sometimes()

    def memory(self) -> Memory:
        """What planning must remember; empty for a new cluster."""
        with self._lock:
            row = self._db.execute("SELECT value FROM meta WHERE key = 'memory'").fetchone()
        return decode(row[0], Memory) if row else Memory()

    def save_memory(self, memory: Memory) -> None:
        """Keep what planning must remember."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO meta VALUES ('memory', ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (encode(memory).decode(),),
            )

    def put(self, instance: Instance, at: float, cause: str) -> None:
        """Write an instance as it is now, and the transition that led here."""
        final = int(instance.status in FINAL)
        with self.transaction():
            self._db.execute(
                "INSERT INTO instances VALUES (?, ?, ?, ?, ?) ON CONFLICT (instance_id) "
                "DO UPDATE SET request_id = excluded.request_id, final = excluded.final, "
                "updated = excluded.updated, body = excluded.body",
                (instance.instance_id, instance.request_id, final, at, encode(instance)),
            )
            self._db.execute(
                "INSERT INTO transitions (instance_id, at, status, cause) VALUES (?, ?, ?, ?)",
                (instance.instance_id, at, instance.status.value, cause),
            )

    def forget(self, instance_id: str) -> None:
        """Remove the provisional row of a node that came under another id."""
        with self.transaction():
            self._db.execute("DELETE FROM instances WHERE instance_id = ?", (instance_id,))

    def open_instances(self) -> list[Instance]:
        """All instances that have not ended."""
        with self._lock:
            rows = self._db.execute("SELECT body FROM instances WHERE final = 0").fetchall()
        return [decode(body, Instance) for (body,) in rows]

    def transitions(self, instance_id: str) -> list[tuple[float, str, str]]:
        """(unix seconds, status, cause) of an instance, oldest first."""
        query = "SELECT at, status, cause FROM transitions WHERE instance_id = ? ORDER BY id"
        with self._lock:
            return [tuple(row) for row in self._db.execute(query, (instance_id,))]

    def begin_request(self, request: LaunchRequest, decision_id: int, at: float) -> None:
        """Write the intent to call the provider; to be committed before the call."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO requests (request_id, at, decision_id, body) VALUES (?, ?, ?, ?)",
                (request.request_id, at, decision_id, encode(request)),
            )

    def end_request(self, request_id: str, outcome: str) -> None:
        """Note what the provider answered."""
        with self.transaction():
            self._db.execute(
                "UPDATE requests SET outcome = ? WHERE request_id = ?", (outcome, request_id)
            )

    def open_requests(self) -> list[tuple[LaunchRequest, int]]:
        """Requests whose answer was never noted, with their decision: a crash came between."""
        query = "SELECT body, decision_id FROM requests WHERE outcome = '' ORDER BY at"
        with self._lock:
            rows = self._db.execute(query).fetchall()
        return [(decode(body, LaunchRequest), decision_id) for body, decision_id in rows]

    def add_decision(self, at: float, plan: Plan, nodes_before: int, solved_ms: float) -> Decision:
        """Record a plan before it is acted on; returns it with its number."""
        with self.transaction():
            newest = self._db.execute("SELECT max(decision_id) FROM decisions").fetchone()[0]
            decision = Decision(
                decision_id=(newest or 0) + 1,
                at=at,
                plan=plan,
                summary=summarise(plan, at),
                nodes_before=nodes_before,
                solved_ms=solved_ms,
            )
            self._db.execute(
                "INSERT INTO decisions (decision_id, at, body) VALUES (?, ?, ?)",
                (decision.decision_id, at, encode(decision)),
            )
        return decision

    def set_outcome(self, decision_id: int, outcome: str) -> None:
        """Note what came of a decision."""
        with self.transaction():
            self._db.execute(
                "UPDATE decisions SET outcome = ? WHERE decision_id = ?", (outcome, decision_id)
            )

    def decisions(self, before: int | None = None, limit: int = 100) -> list[Decision]:
        """Decisions with numbers below `before`, newest first."""
        query = (
            "SELECT body, outcome FROM decisions WHERE decision_id < ? "
            "ORDER BY decision_id DESC LIMIT ?"
        )
        top = before if before is not None else 2**62
        with self._lock:
            rows = self._db.execute(query, (top, limit)).fetchall()
        return [
            msgspec.structs.replace(decode(body, Decision), outcome=outcome)
            for body, outcome in rows
        ]

    def add_event(self, event: Event) -> Event:
        """Write one line of the journal; returns it with its number."""
        with self.transaction():
            newest = self._db.execute("SELECT max(event_id) FROM events").fetchone()[0]
            event = msgspec.structs.replace(event, event_id=(newest or 0) + 1)
            self._db.execute(
                "INSERT INTO events VALUES (?, ?, ?)", (event.event_id, event.at, encode(event))
            )
        return event

    def events(self, limit: int = 100) -> list[Event]:
        """The newest lines of the journal, newest first."""
        query = "SELECT body FROM events ORDER BY event_id DESC LIMIT ?"
        with self._lock:
            return [decode(body, Event) for (body,) in self._db.execute(query, (limit,))]

    def close_all(self, at: float, cause: str) -> None:
        """End every open instance and request: the cluster was taken down."""
        with self.transaction():
            for instance in self.open_instances():
                gone = msgspec.structs.replace(
                    instance, status=InstanceStatus.TERMINATED, status_since=at
                )
                self.put(gone, at, cause)
            self._db.execute("UPDATE requests SET outcome = ? WHERE outcome = ''", (cause,))

    def _prune_sometimes(self) -> None:
        self._writes += 1
        if self._writes % _PRUNE_EVERY:
            return
        self._prune("decisions", "decision_id", _KEEP_DECISIONS)
        self._prune("events", "event_id", _KEEP_EVENTS)
        self._db.execute(
            "DELETE FROM instances WHERE final = 1 AND instance_id NOT IN "
            "(SELECT instance_id FROM instances WHERE final = 1 ORDER BY updated DESC LIMIT ?)",
            (_KEEP_ENDED,),
        )
        self._db.execute(
            "DELETE FROM transitions WHERE instance_id NOT IN (SELECT instance_id FROM instances)"
        )
        self._db.execute(
            "DELETE FROM requests WHERE outcome != '' AND request_id NOT IN "
            "(SELECT request_id FROM instances)"
        )

    def _prune(self, table: str, key: str, keep: int) -> None:
        # Table and key are ours, never a user's.
        self._db.execute(
            f"DELETE FROM {table} WHERE {key} <= (SELECT max({key}) FROM {table}) - ?",  # noqa: S608
            (keep,),
        )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
