"""Daemons over a scripted engine, in this process or in one of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from raytui.autoscaler.daemon.process import Daemon
from raytui.client.daemon import DaemonClient
from raytui.client.transport import UnixTransport
from raytui.config.locations import ClusterPaths
from raytui.model.snapshot import Snapshot
from tests.control.scripted_engine import ScriptedEngine, reload_engine


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def paths() -> ClusterPaths:
    return ClusterPaths("toy").make()


class DaemonProcess:
    """A scripted daemon in its own process."""

    def __init__(self, cluster: str, *more: str) -> None:
        script = Path(__file__).with_name("scripted_engine.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), cluster, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self, paths: ClusterPaths, deadline_s: float = 20) -> DaemonProcess:
        end = time.monotonic() + deadline_s
        while '"daemon started"' not in (paths.log.read_text() if paths.log.exists() else ""):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, "the daemon did not start"
            time.sleep(0.02)
        return self

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Signal it and return its exit code, stdout and stderr."""
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@pytest.fixture
def spawn(paths: ClusterPaths) -> Iterator[Callable[[], DaemonProcess]]:
    running: list[DaemonProcess] = []

    def start() -> DaemonProcess:
        paths.log.unlink(missing_ok=True)
        running.append(DaemonProcess("toy"))
        return running[-1].wait_ready(paths)

    yield start
    for daemon in running:
        daemon.end(signal.SIGKILL)


@asynccontextmanager
async def served(paths: ClusterPaths, engine: ScriptedEngine) -> AsyncIterator[ScriptedEngine]:
    """The daemon's asyncio side and engine thread, inside this process."""
    daemon = Daemon("toy", paths, lambda: engine, reload_engine)
    task = asyncio.create_task(daemon.run())
    try:
        while not paths.socket.exists():
            assert not task.done(), task.exception()
            await asyncio.sleep(0.005)
        yield engine
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def engine(paths: ClusterPaths) -> AsyncIterator[ScriptedEngine]:
    async with served(paths, ScriptedEngine()) as engine:
        yield engine


@pytest.fixture
async def client(engine: ScriptedEngine, paths: ClusterPaths) -> AsyncIterator[DaemonClient]:
    client = DaemonClient("toy", UnixTransport(paths.socket))
    yield client
    await client.close()


async def snapshot_where(
    client: DaemonClient, wanted: Callable[[Snapshot], bool], deadline_s: float = 10
) -> Snapshot:
    """The first snapshot that is as wanted."""
    async with asyncio.timeout(deadline_s):
        async for news in client.updates():
            if isinstance(news, Snapshot) and wanted(news):
                return news
    raise AssertionError("the updates ended")
