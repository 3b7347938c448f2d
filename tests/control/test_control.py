"""The short conversation that launching and taking down have with a daemon."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from raytui.autoscaler.daemon.control import Control, ControlError, greet
from raytui.config.locations import ClusterPaths
from raytui.model import wire
from raytui.model.command import SetFloor, Terminate
from tests.control.conftest import DaemonProcess

Spawn = Callable[[], DaemonProcess]


def test_a_daemon_greets_with_its_cluster_and_pid(spawn: Spawn, paths: ClusterPaths):
    daemon = spawn()
    hello = greet(paths.socket)
    assert hello is not None
    assert (hello.cluster, hello.pid) == ("toy", daemon.process.pid)


def test_nobody_greets_where_no_daemon_is(spawn: Spawn, paths: ClusterPaths):
    assert greet(paths.socket) is None
    spawn().end(signal.SIGKILL)
    assert paths.socket.exists()
    assert greet(paths.socket) is None


def test_commands_are_answered_and_snapshots_follow(spawn: Spawn, paths: ClusterPaths):
    spawn()
    with Control(paths.socket) as control:
        assert control.send(SetFloor("cpu", 2)).ok
        assert not control.send(Terminate(("nobody",))).ok
        snapshots = control.snapshots(time.monotonic() + 10)
        assert [row.id for row in next(snapshots).rows] == ["n1", "n2"]


def test_snapshots_end_at_their_deadline(spawn: Spawn, paths: ClusterPaths):
    spawn()
    with Control(paths.socket) as control:
        seen = list(control.snapshots(time.monotonic() + 0.5))
    assert len(seen) >= 1


def test_a_daemon_that_hangs_is_an_error_in_time(spawn: Spawn, paths: ClusterPaths):
    daemon = spawn()
    os.kill(daemon.process.pid, signal.SIGSTOP)
    begin = time.monotonic()
    assert greet(paths.socket, timeout_s=0.3) is None
    assert time.monotonic() - begin < 5


def test_a_daemon_of_another_version_is_told_apart(paths: ClusterPaths):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(paths.socket))
        listener.listen()
        hello = wire.line_of(wire.Hello(wire.PROTOCOL + 1, "9.9", "toy", 1))

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(hello)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ControlError, match="use the same version"), Control(paths.socket):
            pass
        thread.join(5)
