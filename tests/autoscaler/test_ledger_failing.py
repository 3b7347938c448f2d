"""A ledger that cannot be written or read while the loop runs: nothing is done, nothing is lost."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from raytui.autoscaler.loop.ledger import Ledger
from raytui.model.command import SetFloor, Terminate
from raytui.model.snapshot import Snapshot
from tests.support.clusters import kind, spec
from tests.support.world import World

SMALL = kind("small", 0.2, CPU=4, max=20)


class SmallDisk(Ledger):
    """A ledger on a disk that may be full: SQLite itself finds that its file cannot grow."""

    full = False

    def _connect(self) -> sqlite3.Connection:
        db = super()._connect()
        self._let_grow(db)
        return db

    def _let_grow(self, db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA max_page_count = {1 if self.full else 2**30}")

    def set_full(self, full: bool) -> None:
        self.full = full
        self._let_grow(self._db)


def running(count: int):
    return lambda snapshot: small(snapshot).running == count and not snapshot.trouble


def small(snapshot: Snapshot):
    return next(row for row in snapshot.types if row.name == "small")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(spec(SMALL, idle_s=900), tmp_path / "ledger.db")
    world.boot(ledger=SmallDisk(world.path))
    world.order(SetFloor("small", 2))
    world.run_until(running(2))
    world.run(60)  # what stands in the file and may be written over is used up
    return world


def fill_disk(world: World) -> None:
    world.ledger.set_full(True)
    for floor in range(3, 1000):
        if not world.order(SetFloor("small", 3 + floor % 2)).ok:
            return
    raise AssertionError("the disk did not become full")


class TestFullDisk:
    def test_nothing_is_done_and_the_last_picture_stays_with_the_reason(self, world: World) -> None:
        before = world.run()
        fill_disk(world)
        calls = world.provider.launch_calls
        world.provider.lose(world.workers()[0], "exit code 1")
        world.run(30)
        expected = f"not acting: {world.path}: the disk is full; make room on it"
        assert world.snapshot.trouble == expected
        assert [row.id for row in world.snapshot.rows] == [row.id for row in before.rows]
        assert world.snapshot.seq > before.seq
        assert world.provider.launch_calls == calls

    def test_an_order_is_refused_with_the_reason(self, world: World) -> None:
        fill_disk(world)
        ack = world.order(Terminate((world.workers()[0],)))
        assert not ack.ok
        assert ack.text == f"nothing was done: {world.path}: the disk is full; make room on it"

    def test_history_can_be_read_all_the_same(self, world: World) -> None:
        fill_disk(world)
        world.run(5)
        assert world.reconciler.history(None, 10)

    def test_when_there_is_room_again_it_goes_on_by_itself_and_says_so(self, world: World) -> None:
        fill_disk(world)
        floor = world.ledger.memory().floors["small"]
        world.provider.lose(world.workers()[0], "exit code 1")
        world.run(30)
        world.ledger.set_full(False)
        world.run_until(running(floor))
        assert len(world.workers()) == floor
        assert "the ledger can be written again; going on" in world.text()

    def test_a_launch_under_way_is_not_doubled(self, world: World) -> None:
        world.order(SetFloor("small", 6))
        world.run()  # the provider was called; its answer is for the next tick to take in
        assert len(world.workers()) == 6
        world.ledger.set_full(True)
        world.run(40)
        world.ledger.set_full(False)
        world.run_until(running(6))
        world.run(30)
        assert len(world.workers()) == 6

    def test_a_daemon_that_starts_on_a_full_disk_shows_and_waits(self, world: World) -> None:
        fill_disk(world)
        world.ledger.close()

        class FullFromTheStart(SmallDisk):
            full = True

        world.boot(ledger=FullFromTheStart(world.path))
        world.run_until(lambda s: "the disk is full" in s.trouble)
        world.ledger.set_full(False)
        world.run_until(lambda s: not s.trouble)


class FailingLedger(Ledger):
    """Some of its transactions fail, one after another, from the n-th on."""

    def __init__(self, path: Path, after: int, error: Exception, times: int) -> None:
        self.left, self.error, self.times = after, error, times
        super().__init__(path)

    def transaction(self):
        if not self._db.in_transaction:
            self.left -= 1
            if -self.times <= self.left < 0:
                raise self.error
        return super().transaction()


def live(world: World, seconds: int) -> None:
    for _ in range(seconds):
        try:
            world.run()
        except ZeroDivisionError:
            continue  # the daemon's thread shows it, and ticks again after a pause


@pytest.mark.parametrize("after", range(0, 46, 3))
@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("database or disk is full"), ZeroDivisionError("a bug")]
)
def test_a_write_that_fails_anywhere_neither_doubles_nor_forgets(
    tmp_path: Path, after: int, error: Exception
) -> None:
    world = World(spec(kind("small", 0.2, CPU=4, min=3, max=6)), tmp_path / "ledger.db")
    world.boot(ledger=FailingLedger(world.path, after, error, times=5))
    for order in (SetFloor("small", 4), None):
        with contextlib.suppress(ZeroDivisionError, IndexError):
            world.order(order or Terminate((world.workers()[0],), drain_s=5))
        live(world, 40)
    world.order(SetFloor("small", 4))
    world.run_until(running(4))
    world.run(60)
    assert world.ledger.left < 0
    assert len(world.workers()) == 4
    rows = {i.instance_id for i in world.ledger.open_instances()}
    assert rows == {*world.workers(), "head-0"}
    assert world.ledger.open_requests() == []


def test_damage_that_shows_while_it_runs_is_rescued_and_what_runs_is_taken_in(
    tmp_path: Path,
) -> None:
    world = World(spec(SMALL, idle_s=900), tmp_path / "ledger.db")
    world.order(SetFloor("small", 2))
    world.run_until(running(2))
    workers = set(world.workers())
    world.ledger._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    world.ledger._db.execute("PRAGMA shrink_memory")
    world.path.write_bytes(b"Dear diary, " * 5000)
    world.order(SetFloor("small", 2))  # the first that touches the file
    world.run(3)
    assert world.snapshot.trouble == ""
    assert set(world.workers()) == workers
    rescued = Ledger(world.path)
    assert {i.instance_id for i in rescued.open_instances()} == {*workers, "head-0"}
    assert any("the ledger was damaged" in event.text for event in rescued.events(99))
    (aside,) = world.path.parent.glob("ledger.db.damaged-*")
    assert aside.read_bytes().startswith(b"Dear diary")
