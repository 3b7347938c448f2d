"""The ledger as a file: versions, what is kept for how long, and that age does not slow it down."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from raytui.autoscaler.loop.ledger import Ledger, LedgerError
from raytui.autoscaler.loop.ledger_retention import Retention
from raytui.autoscaler.loop.ledger_schema import VERSION
from raytui.backends.base import LaunchRequest
from raytui.model.codec import encode
from raytui.model.command import SetFloor
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Decision, Memory, Plan
from raytui.model.snapshot import Event, Level
from raytui.model.state import Instance
from tests.support.clusters import kind, spec
from tests.support.world import World

DAY = 86_400.0
VERSION_1 = """
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
PRAGMA user_version = 1;
"""
"""What the first release wrote, word for word."""


def instance(name: str, status: InstanceStatus = InstanceStatus.RUNNING) -> Instance:
    return Instance(name, "small", status, request_id=f"r-{name}")


def request(name: str) -> LaunchRequest:
    return LaunchRequest(name, "small", 2)


def event(at: float, text: str = "something happened") -> Event:
    return Event(0, at, Level.INFO, text)


def of_version_1(path: Path) -> None:
    db = sqlite3.connect(path)
    db.executescript(VERSION_1)
    rows = (
        ("a", 0, instance("a")),
        ("b", 1, instance("b", InstanceStatus.TERMINATED)),
    )
    for name, final, body in rows:
        db.execute(
            "INSERT INTO instances VALUES (?, ?, ?, 5, ?)", (name, f"r-{name}", final, encode(body))
        )
    for name, status in (("a", "queued"), ("a", "running"), ("b", "queued"), ("gone", "queued")):
        db.execute(
            "INSERT INTO transitions (instance_id, at, status, cause) VALUES (?, 5, ?, 'why')",
            (name, status),
        )
    for name, outcome in (("asked", ""), ("answered", "2 came")):
        row = (name, encode(request(name)), outcome)
        db.execute("INSERT INTO requests VALUES (?, 5, 1, ?, ?)", row)
    memory = encode(Memory(floors={"small": 3})).decode()
    db.execute("INSERT INTO meta VALUES ('memory', ?)", (memory,))
    decision = encode(Decision(1, 5.0, Plan(), "launch 2 × small"))
    db.execute("INSERT INTO decisions VALUES (1, 5, ?, 'fine')", (decision,))
    db.execute("INSERT INTO events VALUES (7, 5, ?)", (encode(event(5.0)),))
    db.commit()
    db.close()


class TestVersions:
    def test_a_file_of_the_first_version_is_taken_over_whole(self, tmp_path: Path) -> None:
        of_version_1(tmp_path / "l.db")
        ledger = Ledger(tmp_path / "l.db")
        assert ledger.open_instances() == [instance("a")]
        assert [status for _, status, _ in ledger.transitions("a")] == ["queued", "running"]
        assert ledger.open_requests() == [(request("asked"), 1)]
        assert ledger.knows_request("answered")
        assert ledger.memory().floors == {"small": 3}
        assert [d.outcome for d in ledger.decisions()] == ["fine"]
        assert ledger.add_event(event(6.0)).event_id == 8

    def test_a_file_of_the_first_version_can_shrink_afterwards(self, tmp_path: Path) -> None:
        of_version_1(tmp_path / "l.db")
        Ledger(tmp_path / "l.db").close()
        db = sqlite3.connect(tmp_path / "l.db")
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)

    def test_a_step_that_fails_leaves_the_old_version(self, tmp_path: Path) -> None:
        of_version_1(tmp_path / "l.db")
        db = sqlite3.connect(tmp_path / "l.db")
        db.execute("CREATE TABLE loose_transitions (in_the_way)")
        db.commit()
        with pytest.raises(LedgerError, match=r"l\.db"):
            Ledger(tmp_path / "l.db")
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM transitions").fetchone() == (4,)

    def test_a_newer_raytuis_file_is_left_alone(self, tmp_path: Path) -> None:
        Ledger(tmp_path / "l.db").close()
        db = sqlite3.connect(tmp_path / "l.db")
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
        with pytest.raises(LedgerError, match="newer raytui"):
            Ledger(tmp_path / "l.db")


class TestRows:
    def test_a_node_keeps_its_past_when_the_provider_names_it(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "l.db")
        ledger.put(instance("r-1-0", InstanceStatus.QUEUED), 1.0, "intended")
        ledger.rename("r-1-0", "i-0abc")
        ledger.put(instance("i-0abc", InstanceStatus.ALLOCATED), 2.0, "it came")
        assert [i.instance_id for i in ledger.open_instances()] == ["i-0abc"]
        past = [status for _, status, _ in ledger.transitions("i-0abc")]
        assert past == ["queued", "allocated"]
        assert ledger.transitions("r-1-0") == []

    def test_a_transaction_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "l.db")
        with pytest.raises(ZeroDivisionError), ledger.transaction():
            ledger.add_event(event(1.0))
            ledger.put(instance("a"), 1.0, "why")
            _ = 1 / 0
        assert ledger.events() == []
        assert ledger.open_instances() == []

    def test_the_file_is_for_its_owner_only(self, tmp_path: Path) -> None:
        Ledger(tmp_path / "l.db").close()
        assert (tmp_path / "l.db").stat().st_mode & 0o777 == 0o600


def prune_all(ledger: Ledger, now: float) -> None:
    for _ in range(50):
        ledger.prune(now)


class TestRetention:
    def test_the_past_goes_after_its_time_and_the_newest_stays(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "l.db", Retention(age_s=30 * DAY))
        for day in range(300):
            ledger.add_event(event(day * DAY, f"day {day}"))
            ledger.add_decision(day * DAY, Plan(), 0, 0.0)
        prune_all(ledger, 310 * DAY)
        assert [e.text for e in ledger.events(999)][-1] == "day 200"  # the newest hundred stay
        assert len(ledger.decisions(None, 999)) == 100
        prune_all(ledger, 9999 * DAY)
        assert len(ledger.events(999)) == 100
        assert ledger.add_event(event(9999 * DAY)).event_id == 301

    def test_what_has_not_ended_stays_however_old(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path / "l.db")
        for name in ("old", "young", "alive"):
            ledger.begin_request(request(f"r-{name}"), 1, 0.0)
            ledger.put(instance(name), 0.0, "why")
        ledger.begin_request(request("asked"), 1, 0.0)
        for name, at in (("old", 1 * DAY), ("young", 99 * DAY)):
            ledger.put(instance(name, InstanceStatus.TERMINATED), at, "ended")
        for name in ("old", "young", "alive"):
            ledger.end_request(f"r-{name}", "came")
        prune_all(ledger, 100 * DAY)
        assert ledger.open_instances() == [instance("alive")]
        assert len(ledger.transitions("young")) == 2
        assert ledger.transitions("old") == []
        assert [r.request_id for r, _ in ledger.open_requests()] == ["asked"]

    def test_a_file_that_is_too_large_shrinks(self, tmp_path: Path) -> None:
        path = tmp_path / "l.db"
        ledger = Ledger(path, Retention(size=2 << 20))
        with ledger.transaction():
            for _ in range(4000):
                ledger.add_event(event(1.0, "x" * 2000))
        ledger.close()
        before = path.stat().st_size
        ledger = Ledger(path, Retention(size=2 << 20))
        prune_all(ledger, 2.0)
        ledger.close()
        assert before > 8 << 20
        assert path.stat().st_size < 4 << 20
        assert 100 <= len(Ledger(path).events(9999)) < 2000


def test_no_tick_scans_a_table(tmp_path: Path) -> None:
    """Whatever SQL ticks run, they find their rows by an index: history costs them nothing."""
    world = World(spec(kind("small", 0.2, CPU=4), idle_s=5), tmp_path / "l.db")
    seen: set[str] = set()
    world.ledger._db.set_trace_callback(seen.add)
    world.order(SetFloor("small", 3))
    world.run(30)
    world.order(SetFloor("small", 0))
    world.run(60)
    world.ledger.prune(world.now)
    world.ledger._db.set_trace_callback(None)
    assert {s.split()[0] for s in seen} >= {"SELECT", "INSERT", "UPDATE", "DELETE"}
    scans = []
    for statement in seen:
        if statement.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            plan = world.ledger._db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            scans += [(statement, line[-1]) for line in plan if "SCAN" in line[-1]]
    # An index of what is open is as short as the cluster is small.
    assert [s for s in scans if not re.search(r"USING (COVERING )?INDEX open_", s[1])] == []
