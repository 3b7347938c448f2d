"""Joins stdin and stdout to a Unix socket, byte for byte, until either side ends."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from pathlib import Path

from raytui.cli.failures import unreachable

_CHUNK = 1 << 16


def bridge(path: Path) -> None:
    """Copy both ways until stdin ends or the socket is closed.

    Each direction has its own thread and blocks by itself: a reader that stops reading makes the
    daemon skip snapshots, it does not make this process grow, and never stops the other direction.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as daemon:
        try:
            daemon.connect(os.fspath(path))
        except OSError as error:
            raise unreachable(f"no daemon listens on {path}: {error.strerror}") from None
        threading.Thread(target=_send, args=(daemon, sys.stdin.fileno()), daemon=True).start()
        stdout = sys.stdout.fileno()
        while data := daemon.recv(_CHUNK):
            _write_all(stdout, data)


def _send(daemon: socket.socket, stdin: int) -> None:
    """Hand stdin on; its end ends the conversation."""
    with contextlib.suppress(OSError):
        while data := os.read(stdin, _CHUNK):
            daemon.sendall(data)
        daemon.shutdown(socket.SHUT_RDWR)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
