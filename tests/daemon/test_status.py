"""`raytui daemon status`: what it says, and its exit code."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.autoscaler.daemon.actor_lock import ActorLock
from raytui.autoscaler.daemon.status import DaemonStatus, daemon_status
from raytui.cli.daemon_status import exit_code
from raytui.config.locations import ClusterPaths
from raytui.model.command import Pause, SetFloor
from tests.cli.conftest import raytui
from tests.control.conftest import DaemonProcess
from tests.daemon.test_process import until

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"


@pytest.fixture
def daemon(paths: ClusterPaths) -> Iterator[DaemonProcess]:
    started = DaemonProcess("toy").wait_ready(paths)
    yield started
    started.end(signal.SIGKILL)


def test_a_daemon_that_is_well(daemon: DaemonProcess):
    done = raytui("daemon", "status", "--json", "toy")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["running"], told["answers"], told["well"]) == (True, True, True)
    assert told["pid"] == daemon.process.pid
    assert abs(time.time() - told["since"]) < 60
    assert told["last_tick_age_s"] < 30
    done = raytui("daemon", "status", "toy")
    assert done.returncode == 0
    assert f"pid        {daemon.process.pid}" in done.stdout
    assert done.stdout.splitlines()[1] == "daemon     running"


def test_every_key_is_on_the_page():
    page = PAGE.read_text()
    assert all(f"| `{name}` |" in page for name in DaemonStatus.__struct_fields__)


def test_a_paused_daemon_is_well_and_one_in_trouble_is_not(
    daemon: DaemonProcess, paths: ClusterPaths
):
    from raytui.autoscaler.daemon.control import Control

    with Control(paths.socket) as control:
        control.send(Pause())
    until(paths, lambda snapshot: bool(snapshot.paused_by))
    status = daemon_status("toy", paths)
    assert status.well
    assert status.paused_by
    with Control(paths.socket) as control:
        control.send(SetFloor("crash", 1000))
    until(paths, lambda snapshot: bool(snapshot.trouble))
    status = daemon_status("toy", paths)
    assert (status.answers, status.well) == (True, False)
    assert status.problem.startswith("RuntimeError: the script says crash")
    assert exit_code(status) == 1


def test_no_daemon(paths: ClusterPaths):
    done = raytui("daemon", "status", "toy")
    assert done.returncode == 3
    assert "not running: no daemon runs" in done.stdout
    with ActorLock(paths.lock, "up"):
        status = daemon_status("toy", paths)
    assert (status.running, status.problem) == (False, f"no daemon runs; pid {os.getpid()}: up")


def test_a_daemon_that_does_not_answer(paths: ClusterPaths):
    with ActorLock(paths.lock):
        status = daemon_status("toy", paths)
    assert (status.running, status.answers) == (True, False)
    assert status.pid == os.getpid()
    assert "no daemon answers" in status.problem
    assert exit_code(status) == 3
