"""The daemon as a process: its lock, its log, its end."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from raytui.autoscaler.daemon.actor_lock import ActorLock, LockHeldError, holder
from raytui.config.locations import ClusterPaths
from tests.control.conftest import DaemonProcess

Spawn = Callable[[], DaemonProcess]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(spawn: Spawn, paths: ClusterPaths, number: int):
    code, out, _ = spawn().end(number)
    assert code == 0
    assert out == ""
    assert not paths.socket.exists()
    assert holder(paths.lock) is None


def test_it_logs_json_lines_to_stderr_and_to_a_private_file(spawn: Spawn, paths: ClusterPaths):
    _, _, err = spawn().end()
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines] == ["daemon started", "signal", "daemon stopped"]
    assert all({"ts", "level", "event"} <= line.keys() for line in lines)
    assert lines[0]["cluster"] == "toy"
    assert paths.log.read_text() == err
    assert stat.S_IMODE(paths.log.stat().st_mode) == 0o600


def test_there_is_one_daemon_a_cluster(spawn: Spawn, paths: ClusterPaths):
    first = spawn()
    held = holder(paths.lock)
    assert held is not None
    assert held.pid == first.process.pid
    assert held.alive()
    with pytest.raises(LockHeldError, match=f"pid {first.process.pid} "):
        ActorLock(paths.lock).__enter__()
    assert first.process.poll() is None
    assert paths.socket.exists()


def test_after_a_kill_the_next_one_takes_over_lock_and_socket(spawn: Spawn, paths: ClusterPaths):
    spawn().end(signal.SIGKILL)
    assert paths.socket.exists(), "a killed daemon cannot clean up"
    assert holder(paths.lock) is None
    second = spawn()
    held = holder(paths.lock)
    assert held is not None
    assert held.pid == second.process.pid


def test_a_lock_is_free_again_after_with(tmp_path: Path):
    path = tmp_path / "lock"
    with ActorLock(path, "down"):
        held = holder(path)
        assert held is not None
        assert (held.pid, held.what) == (os.getpid(), "down")
        with pytest.raises(LockHeldError, match=r"\(down\)"):
            ActorLock(path).__enter__()
    assert holder(path) is None
    with ActorLock(path):
        pass


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path):
    path = tmp_path / "lock"
    with ActorLock(path):
        child = subprocess.Popen(
            [sys.executable, "-c", "print('here', flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"here\n"
    try:
        assert holder(path) is None
    finally:
        child.communicate(b"\n", timeout=20)


def test_a_holder_is_the_process_and_not_its_number(tmp_path: Path):
    path = tmp_path / "lock"
    with ActorLock(path):
        held = holder(path)
    assert held is not None
    assert held.alive()
    assert held.started_at == psutil.Process().create_time()
    reused = type(held)(held.pid, held.started_at - 100, held.what)
    assert not reused.alive()


def test_neither_daemon_nor_client_loads_textual_or_ray():
    code = (
        "import sys, raytui.autoscaler.daemon.process, raytui.client.daemon; "
        "print(*{'textual', 'ray', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("\n", "")
