"""Durable files: whole at every moment, their owner's alone, changed by one at a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from raytui.config.durable import locked, write_durably


class Crash(BaseException):
    """The process ends here."""


def test_a_file_is_replaced_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(b"old, and longer than what comes")
    write_durably(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("number", [1, 2])
def test_a_crash_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    file = tmp_path / "state.json"
    write_durably(file, b"old")
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == number:
            raise Crash

    monkeypatch.setattr(os, "fsync", fsync)
    with contextlib.suppress(Crash):
        write_durably(file, b"new")
    assert len(synced) == number
    assert file.read_bytes() == (b"old", b"new")[number - 1]


def test_only_one_can_be_the_first(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    write_durably(file, b"first", first=True)
    with pytest.raises(FileExistsError):
        write_durably(file, b"second", first=True)
    assert file.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [file]


def test_a_disk_that_takes_nothing_leaves_no_draft(tmp_path: Path) -> None:
    taken = tmp_path / "state.json"
    taken.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_durably(taken, b"new")
    assert list(tmp_path.iterdir()) == [taken]


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")

    def add() -> None:
        for _ in range(50):
            with locked(tmp_path / "counter.lock"):
                counter.write_text(str(int(counter.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "200"


def _hold(path: Path, inside: multiprocessing.synchronize.Event) -> None:
    with locked(path):
        inside.set()
        signal.pause()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    inside = spawn.Event()
    holder = spawn.Process(target=_hold, args=(tmp_path / "lock", inside))
    holder.start()
    got = threading.Event()

    def take() -> None:
        with locked(tmp_path / "lock"):
            got.set()

    taker = threading.Thread(target=take)
    try:
        assert inside.wait(30)
        taker.start()
        assert not got.wait(0.2)
    finally:
        holder.kill()
        holder.join()
    taker.join(30)
    assert got.is_set()
