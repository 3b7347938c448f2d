"""A ledger whose file was damaged: it is put aside, and what can be read of it goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from raytui.autoscaler.loop import ledger_rescue
from raytui.autoscaler.loop.ledger import Ledger, LedgerDamagedError, LedgerError
from raytui.autoscaler.loop.ledger_rescue import open_ledger
from raytui.backends.base import LaunchRequest
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Hold, Memory, Plan
from raytui.model.snapshot import Event, Level
from raytui.model.state import Instance

NOW = 1_000_000.0
MEMORY = Memory(floors={"small": 2}, holds=(Hold("small-0", "ann@host"),), paused_by="ann@host")
PAGE = 4096


def instance(number: int, status: InstanceStatus = InstanceStatus.RUNNING) -> Instance:
    return Instance(f"small-{number}", "small", status, request_id=f"r-{number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with a life behind it: some hundred pages."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(path)
    with ledger.transaction():
        ledger.save_memory(MEMORY)
        for number in range(200):
            ledger.put(instance(number), 1.0, "why")
        for number in range(100, 200):
            ledger.put(instance(number, InstanceStatus.TERMINATED), 2.0, "ended")
        ledger.begin_request(LaunchRequest("asked", "small", 3), 1, 3.0)
        for number in range(1000):
            ledger.add_event(Event(0, number, Level.INFO, f"event {number}", "x" * 200))
        for _ in range(50):
            ledger.add_decision(4.0, Plan(), 0, 0.0)
    ledger.close()
    return path


def put_aside(path: Path) -> Path:
    (aside,) = path.parent.glob("ledger.db.damaged-*[0-9]")
    return aside


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def pages_of(path: Path, table: str) -> list[int]:
    """Where in the file the table has its leaf pages (its root excluded)."""
    db = sqlite3.connect(path)
    needle = {"events": b'"event_id":', "instances": b'"instance_id":'}[table]
    root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    db.close()
    data = path.read_bytes()
    pages = [data[i : i + PAGE] for i in range(0, len(data), PAGE)]
    return [
        n * PAGE for n, p in enumerate(pages) if p[:1] == b"\x0d" and needle in p and n + 1 != root
    ]


def test_a_sound_file_is_opened_and_nothing_is_put_aside(path: Path) -> None:
    ledger = open_ledger(path, NOW)
    assert len(ledger.open_instances()) == 100
    assert sorted(p.name for p in path.parent.glob("*damaged*")) == []


def test_overwritten_pages_cost_their_own_rows_only(path: Path) -> None:
    victims = pages_of(path, "events")[3:5]
    for at in victims:
        overwrite(path, at, b"\xa5" * PAGE)
    before = path.read_bytes()
    ledger = open_ledger(path, NOW)
    assert {i.instance_id for i in ledger.open_instances()} == {f"small-{n}" for n in range(100)}
    assert [r.request_id for r, _ in ledger.open_requests()] == ["asked"]
    assert ledger.memory() == MEMORY
    assert len(ledger.transitions("small-150")) == 2
    newest, *others = ledger.events(9999)
    assert 900 < len(others) < 1000
    assert others[0].text == "event 999"
    assert newest.level is Level.ERROR
    assert "the ledger was damaged; recovered 100 instances, 1 open request" in newest.text
    assert str(put_aside(path)) in newest.detail
    assert "Not all could be read of: events" in newest.detail
    assert put_aside(path).read_bytes() == before


def test_a_truncated_file_gives_what_is_left_of_it(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size // 2)
    ledger = open_ledger(path, NOW)
    assert ledger.open_instances()
    assert "the ledger was damaged" in ledger.events(1)[0].text
    assert put_aside(path).stat().st_size == size // 2


def test_a_file_that_is_no_database_starts_afresh(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1000)
    ledger = open_ledger(path, NOW)
    assert ledger.open_instances() == []
    assert "nothing of it could be read: starting afresh" in ledger.events(1)[0].text
    assert put_aside(path).read_bytes().startswith(b"Dear diary")


def test_words_that_are_no_words_of_ours_cost_that_row_only(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("UPDATE instances SET body = '{\"instance' WHERE instance_id = 'small-7'")
    db.commit()
    db.close()
    with pytest.raises(LedgerDamagedError):
        Ledger(path).open_instances()
    ledger = open_ledger(path, NOW)
    names = {i.instance_id for i in ledger.open_instances()}
    assert names == {f"small-{n}" for n in range(100)} - {"small-7"}


def test_that_floors_and_holds_are_lost_is_said(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("UPDATE meta SET value = '{' WHERE key = 'memory'")
    db.commit()
    db.close()
    ledger = open_ledger(path, NOW)
    assert ledger.memory() == Memory()
    assert "floors, holds and a pause are forgotten" in ledger.events(1)[0].text


def test_what_was_not_yet_moved_into_the_main_file_is_read_too(path: Path) -> None:
    """A crash leaves the newest rows in the write-ahead log beside the file."""
    ledger = Ledger(path)
    ledger.put(instance(500), 9.0, "the newest")
    log = path.with_name("ledger.db-wal").read_bytes()
    main = path.read_bytes()
    ledger.close()
    path.write_bytes(main)
    path.with_name("ledger.db-wal").write_bytes(log)
    overwrite(path, pages_of(path, "events")[3], b"\xa5" * PAGE)
    path.with_name("ledger.db-wal").write_bytes(log)
    path.with_name("ledger.db-shm").unlink(missing_ok=True)
    assert "small-500" in {i.instance_id for i in open_ledger(path, NOW).open_instances()}


def test_a_rescue_that_was_interrupted_is_done_again(path: Path) -> None:
    overwrite(path, pages_of(path, "events")[3], b"\xa5" * PAGE)
    path.with_name("ledger.db.new").write_bytes(b"half a file")
    assert len(open_ledger(path, NOW).open_instances()) == 100


def test_other_trouble_than_damage_moves_nothing(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.mkdir()
    with pytest.raises(LedgerError):
        open_ledger(path, NOW)
    assert path.is_dir()


def test_the_rescue_knows_every_table() -> None:
    ledger = Ledger(None)
    tables = ledger._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert {name for (name,) in tables} == set(ledger_rescue._COLUMNS)
    for table, (columns, _, _) in ledger_rescue._COLUMNS.items():
        there = ledger._db.execute(f"PRAGMA table_info({table})").fetchall()
        assert tuple(row[1] for row in there) == columns
