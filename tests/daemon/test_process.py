"""The daemon as a process: it reloads by signal and by itself, and gives up when told to."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from raytui.autoscaler.daemon import log
from raytui.autoscaler.daemon.control import Control
from raytui.autoscaler.daemon.failed_rounds import (
    SETTING,
    BadSettingError,
    FailedRounds,
    TooManyFailuresError,
)
from raytui.autoscaler.daemon.process import Daemon
from raytui.autoscaler.metrics.monitor import Monitor
from raytui.autoscaler.simulation.showcase import showcase
from raytui.config.locations import ClusterPaths
from raytui.model.command import SetFloor
from raytui.model.snapshot import ClusterInfo, Snapshot
from tests.control.conftest import DaemonProcess
from tests.control.scripted_engine import ScriptedEngine, reload_engine
from tests.daemon.conftest import TEXT

WAIT_S = 20.0


@pytest.fixture
def daemon(file: Path, paths: ClusterPaths) -> Iterator[DaemonProcess]:
    started = DaemonProcess("toy", str(file)).wait_ready(paths)
    yield started
    started.end(signal.SIGKILL)


def until(paths: ClusterPaths, seen: Callable[[Snapshot], bool]) -> Snapshot:
    with Control(paths.socket) as control:
        for snapshot in control.snapshots(time.monotonic() + WAIT_S):
            if seen(snapshot):
                return snapshot
    raise AssertionError("not seen in time")


def says(*words: str) -> Callable[[Snapshot], bool]:
    return lambda snapshot: any(all(w in e.text for w in words) for e in snapshot.events)


def test_sighup_reloads_and_does_not_end_it(daemon: DaemonProcess, file: Path, paths: ClusterPaths):
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: 2", 1))
    os.kill(daemon.process.pid, signal.SIGHUP)
    until(paths, says("read toy again", "max_workers 2"))
    assert daemon.process.poll() is None


def test_an_edit_is_taken_up_by_itself(daemon: DaemonProcess, file: Path, paths: ClusterPaths):
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: 1", 1))
    until(paths, says("read toy again", "max_workers 1"))


def test_a_bad_edit_is_told_once_and_a_good_one_is_taken_after_it(
    daemon: DaemonProcess, file: Path, paths: ClusterPaths
):
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: hunter3", 1))
    until(paths, says("was refused", "toy.yaml:3: max_workers"))
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: 3", 1))
    snapshot = until(paths, says("read toy again", "max_workers 3"))
    assert sum("refused" in event.text for event in snapshot.events) == 1
    assert snapshot.trouble == ""


def test_the_log_has_no_contents(daemon: DaemonProcess, file: Path, paths: ClusterPaths):
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: hunter3", 1))
    until(paths, says("was refused"))
    with Control(paths.socket) as control:
        assert control.send(SetFloor("cpu", 1)).ok
    daemon.end()
    text = paths.log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    events = [line["event"] for line in lines]
    assert {"reload", "reload done", "command", "command done"} <= set(events)
    assert {"ok": False}.items() <= lines[events.index("reload done")].items()
    assert "hunter" not in text


def test_a_service_manager_hears_when_it_is_ready_and_when_it_ends(
    paths: ClusterPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(WAIT_S)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with heard:
        started = DaemonProcess("toy")
        assert heard.recv(100) == b"READY=1"
        assert paths.socket.exists()
        started.end()
        assert heard.recv(100) == b"STOPPING=1"


def round_of(trouble: str) -> Snapshot:
    return Snapshot(ClusterInfo("toy", "x"), seq=1, taken_at=1.0, trouble=trouble)


def test_it_goes_on_for_ever_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(SETTING, raising=False)
    failed = FailedRounds()
    for _ in range(10_000):
        failed.take(round_of("disk full"))


def test_only_rounds_in_a_row_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SETTING, "2")
    failed = FailedRounds()
    for _ in range(5):
        failed.take(round_of("disk full"))
        failed.take(round_of("disk full"))
        failed.take(round_of(""))
    failed.take(round_of("disk full"))
    failed.take(round_of("disk full"))
    with pytest.raises(TooManyFailuresError, match=f"3 rounds .* {SETTING} is 2.*: disk full"):
        failed.take(round_of("disk full"))


def test_a_setting_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(SETTING, "many")
    with pytest.raises(BadSettingError, match="whole number or inf, not 'many'"):
        FailedRounds()


async def test_the_daemon_ends_with_the_error_of_the_last_round(
    paths: ClusterPaths, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(SETTING, "1")
    engine = ScriptedEngine()
    engine.crashes = 100
    with pytest.raises(TooManyFailuresError, match="RuntimeError: the script says crash"):
        await asyncio.wait_for(Daemon("toy", paths, lambda: engine, reload_engine).run(), WAIT_S)
    assert engine.closed
    assert not paths.socket.exists()


async def test_metrics_that_break_do_not_stop_the_loop(paths: ClusterPaths):
    monitor = Monitor("toy", paths.ledger)
    monitor.announce(lambda address: [].pop(), "nowhere")
    served = Daemon("toy", paths, lambda: showcase(5), reload_engine, monitor=monitor)
    task = asyncio.create_task(served.run())
    async with asyncio.timeout(WAIT_S):
        while not paths.socket.exists():
            await asyncio.sleep(0.01)
        later = await asyncio.to_thread(until, paths, lambda snapshot: snapshot.seq > 2)
    assert later.trouble == ""
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def own_log() -> Iterator[None]:
    yield
    logger = logging.getLogger(log.ROOT)
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


@pytest.mark.usefixtures("own_log")
def test_the_log_is_bounded_and_private(tmp_path: Path):
    logger = log.start_log(tmp_path / "daemon.log", on_stderr=False)
    for number in range(1300):
        log.note(logger, logging.INFO, "line", number=number, text="x" * 20_000)
    parts = sorted(tmp_path.iterdir())
    assert [part.name for part in parts] == ["daemon.log", *(f"daemon.log.{n}" for n in (1, 2, 3))]
    assert sum(part.stat().st_size for part in parts) <= 20 << 20
    assert {part.stat().st_mode & 0o777 for part in parts} == {0o600}
    last = (tmp_path / "daemon.log").read_text().splitlines()[-1]
    assert msgspec.json.decode(last)["number"] == 1299


def test_only_our_own_output_is_cut_and_only_when_it_is_large(tmp_path: Path):
    mine, other = tmp_path / "daemon.out", tmp_path / "other"
    kept = os.dup(2)
    try:
        with mine.open("ab") as output:
            os.dup2(output.fileno(), 2)
        os.write(2, b"x" * 100)
        log.bound_output(mine)
        assert mine.stat().st_size == 100
        os.write(2, b"x" * (6 << 20))
        other.write_bytes(b"")
        log.bound_output(other)
        assert mine.stat().st_size > 6 << 20
        log.bound_output(mine)
        os.write(2, b"after")
        assert mine.read_bytes() == b"after"
    finally:
        os.dup2(kept, 2)
        os.close(kept)
