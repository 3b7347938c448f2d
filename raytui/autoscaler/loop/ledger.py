"""The ledger: what was intended, what became of it, and why, on disk before the world changes.

SQLite in WAL mode with full synchronisation: a crash at any instruction leaves every intent that
was acted on. History is bounded, so a tick costs the same on the first day and in the third year.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from raytui.autoscaler.explain import summarise
from raytui.autoscaler.loop.ledger_retention import Retention, give_back, prune
from raytui.autoscaler.loop.ledger_schema import migrate
from raytui.backends.base import LaunchRequest
from raytui.model.codec import decode, encode
from raytui.model.command import Ack
from raytui.model.lifecycle import FINAL, InstanceStatus
from raytui.model.plan import Decision, Memory, Plan
from raytui.model.snapshot import Event
from raytui.model.state import Instance

MEMORY = "SELECT value FROM meta WHERE key = 'memory'"
OPEN_INSTANCES = "SELECT body FROM instances WHERE final = 0"
OPEN_REQUESTS = "SELECT body, decision_id FROM requests WHERE outcome = '' ORDER BY at"
WAS_TO_END = "SELECT 1 FROM transitions WHERE instance_id = ? AND status = 'terminating' LIMIT 1"
REQUEST = "SELECT 1 FROM requests WHERE request_id = ?"
ANSWER = "SELECT body FROM answers WHERE command_id = ?"
TRANSITIONS = "SELECT at, status, cause FROM transitions WHERE instance_id = ? ORDER BY id"
DECISIONS = (
    "SELECT body, outcome FROM decisions WHERE decision_id < ? ORDER BY decision_id DESC LIMIT ?"
)
EVENTS = "SELECT body FROM events ORDER BY event_id DESC LIMIT ?"
NEWEST_DECISION = "SELECT max(decision_id) FROM decisions"
NEWEST_EVENT = "SELECT max(event_id) FROM events"

ANSWERS_KEPT = 500
"""A command that is repeated is repeated soon: by a client whose connection broke."""

_CORRUPT, _NOT_A_DATABASE, _FULL = 11, 26, 13
"""SQLite's primary result codes, the low byte of the code of an error."""


class LedgerError(Exception):
    """The ledger cannot be used; `str()` says which file and what to do."""


class LedgerDamagedError(LedgerError):
    """The file has content that nobody wrote; `ledger_rescue` recovers what can be read."""


LEDGER_FAILURES = (LedgerError, sqlite3.Error, OSError)
"""What may come out of whatever touches the ledger: the disk's or the file's fault."""


class Ledger:
    """One cluster's ledger. Safe to use from several threads.

    Every method raises LedgerError when the file cannot be read or written.
    """

    def __init__(self, path: Path | None, keep: Retention | None = None) -> None:
        """Open or create the file at `path`; None keeps everything in memory (simulations)."""
        self.path = path
        self._keep = keep or Retention()
        self._lock = threading.RLock()
        with self._explained():
            self._db = self._connect()

    def _connect(self) -> sqlite3.Connection:
        name = ":memory:" if self.path is None else self.path
        db = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
        try:
            if self.path is not None:
                self.path.chmod(0o600)
            if not _can_shrink(db):
                db.execute("PRAGMA auto_vacuum=INCREMENTAL")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            migrate(db)
            if not _can_shrink(db):
                # A file of version 1. Without the room for a copy it just does not shrink yet.
                with contextlib.suppress(sqlite3.OperationalError):
                    db.execute("VACUUM")
        except ValueError as error:
            db.close()
            raise LedgerError(f"{self.path} is of a newer raytui ({error}); upgrade") from error
        except BaseException:
            db.close()
            raise
        return db

    def reopen(self) -> None:
        """Start over with the file as it is on disk, as a new process would."""
        with self._lock, self._explained():
            if self.path is not None:
                self._db.close()
                self._db = self._connect()
            elif self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def check(self) -> None:
        """Read the whole file's structure (a second for 200 MB) and all that a start needs.

        Raises LedgerDamagedError at the first thing that is wrong.
        """
        with self._lock, self._explained():
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise LedgerDamagedError(f"{self.path} is damaged ({found})")
        self.open_instances()
        self.open_requests()
        self.memory()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except msgspec.DecodeError as error:
            raise LedgerDamagedError(f"{self.path} is damaged ({error})") from error
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (_CORRUPT, _NOT_A_DATABASE):
                raise LedgerDamagedError(f"{self.path} is damaged ({error})") from error
            if code == _FULL:
                raise LedgerError(f"{self.path}: the disk is full; make room on it") from error
            raise LedgerError(f"{self.path}: {error}; see to its disk and permissions") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen together or not at all. May be nested."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            with self._explained():
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:  # a full disk has ended it already
                        self._db.execute("ROLLBACK")
                    raise

    def _read(self, query: str, *values: str | float) -> list[tuple[Any, ...]]:
        with self._lock, self._explained():
            return self._db.execute(query, values).fetchall()

    def restore(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | bytes]]
    ) -> None:
        """Put back rows that were read from a damaged file; what fits no longer is left out.

        `table` and `columns` are names from our schema, never a user's.
        """
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        insert = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608
        with self.transaction():
            for row in rows:
                with contextlib.suppress(sqlite3.IntegrityError):
                    self._db.execute(insert, row)

    def prune(self, now: float) -> None:
        """Let go of some of what is older or more than is kept; to be called now and then."""
        with self.transaction():
            prune(self._db, self._keep, now)
        with self._lock, self._explained():
            give_back(self._db)

    def memory(self) -> Memory:
        """What planning must remember; empty for a new cluster."""
        rows = self._read(MEMORY)
        with self._explained():
            return decode(rows[0][0], Memory) if rows else Memory()

    def save_memory(self, memory: Memory) -> None:
        """Keep what planning must remember."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO meta VALUES ('memory', ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (encode(memory).decode(),),
            )

    def answer(self, command_id: str) -> Ack | None:
        """What was answered to the command of this id; None when it is new, or long ago."""
        rows = self._read(ANSWER, command_id)
        with self._explained():
            return decode(rows[0][0], Ack) if rows else None

    def keep_answer(self, command_id: str, ack: Ack, at: float) -> None:
        """Keep what was answered to a command, and forget the oldest of many."""
        with self.transaction():
            self._db.execute(
                "INSERT INTO answers (command_id, at, body) VALUES (?, ?, ?)",
                (command_id, at, encode(ack)),
            )
            self._db.execute(
                "DELETE FROM answers WHERE number <= (SELECT max(number) FROM answers) - ?",
                (ANSWERS_KEPT,),
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

    def rename(self, instance_id: str, new_id: str) -> None:
        """Give the provisional row of a node the id that the provider gave it; it keeps its past.

        A row that already has the new id gives way.
        """
        with self.transaction():
            self._db.execute("DELETE FROM instances WHERE instance_id = ?", (new_id,))
            self._db.execute(
                "UPDATE instances SET instance_id = ? WHERE instance_id = ?", (new_id, instance_id)
            )

    def open_instances(self) -> list[Instance]:
        """All instances that have not ended."""
        rows = self._read(OPEN_INSTANCES)
        with self._explained():
            return [decode(body, Instance) for (body,) in rows]

    def transitions(self, instance_id: str) -> list[tuple[float, str, str]]:
        """(unix seconds, status, cause) of an instance, oldest first."""
        return [(at, status, cause) for at, status, cause in self._read(TRANSITIONS, instance_id)]

    def was_to_end(self, instance_id: str) -> bool:
        """Whether the provider was ever told to end this instance."""
        return bool(self._read(WAS_TO_END, instance_id))

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
        rows = self._read(OPEN_REQUESTS)
        with self._explained():
            return [(decode(body, LaunchRequest), decision_id) for body, decision_id in rows]

    def knows_request(self, request_id: str) -> bool:
        """Whether we made this request, however it ended."""
        return bool(self._read(REQUEST, request_id))

    def add_decision(self, at: float, plan: Plan, nodes_before: int, solved_ms: float) -> Decision:
        """Record a plan before it is acted on; returns it with its number."""
        with self.transaction():
            newest = self._db.execute(NEWEST_DECISION).fetchone()[0]
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
        top = before if before is not None else 2**62
        found = []
        for body, outcome in self._read(DECISIONS, top, limit):
            with contextlib.suppress(msgspec.DecodeError):  # one that is damaged is left out
                decision = decode(body, Decision)
                found.append(msgspec.structs.replace(decision, outcome=outcome))
        return found

    def add_event(self, event: Event) -> Event:
        """Write one line of the journal; returns it with its number."""
        with self.transaction():
            newest = self._db.execute(NEWEST_EVENT).fetchone()[0]
            event = msgspec.structs.replace(event, event_id=(newest or 0) + 1)
            self._db.execute(
                "INSERT INTO events VALUES (?, ?, ?)", (event.event_id, event.at, encode(event))
            )
        return event

    def events(self, limit: int = 100) -> list[Event]:
        """The newest lines of the journal, newest first."""
        found = []
        for (body,) in self._read(EVENTS, limit):
            with contextlib.suppress(msgspec.DecodeError):  # one that is damaged is left out
                found.append(decode(body, Event))
        return found

    def close_all(self, at: float, cause: str) -> None:
        """End every open instance and request: the cluster was taken down."""
        with self.transaction():
            for instance in self.open_instances():
                gone = msgspec.structs.replace(
                    instance, status=InstanceStatus.TERMINATED, status_since=at
                )
                self.put(gone, at, cause)
            self._db.execute("UPDATE requests SET outcome = ? WHERE outcome = ''", (cause,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _can_shrink(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA auto_vacuum").fetchone()[0])
