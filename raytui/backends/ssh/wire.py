"""Opens the byte stream below SSH: TCP to the host, or a proxy command's stdin and stdout."""

from __future__ import annotations

import errno
import socket
import subprocess
import tempfile
from typing import Protocol

from raytui.backends.ssh.errors import NoAnswerError, UnreachableError
from raytui.backends.ssh.target import SshTarget

_NOBODY_THERE = {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT}
_PROXY_END_S = 2.0
_WORDS = 500


class Wire(Protocol):
    """An open stream, and whatever must be ended with it."""

    socket: socket.socket

    def close(self) -> str:
        """End it; returns the proxy command's last words, if any."""
        ...


def open_wire(target: SshTarget, timeout_s: float) -> Wire:
    """Connect; raises UnreachableError."""
    if target.proxy_command:
        return _Proxy(target)
    try:
        return _Tcp(socket.create_connection((target.address, target.port), timeout_s))
    except TimeoutError:
        kind: type[UnreachableError] = NoAnswerError
        what = f"no answer from {target.address} port {target.port} within {timeout_s:g} s"
    except OSError as error:
        kind = NoAnswerError if error.errno in _NOBODY_THERE else UnreachableError
        words = error.strerror or str(error)
        what = f"no connection to {target.address} port {target.port}: {words}"
    raise kind(target.name, what, "Is the machine up, and is its SSH port open to this one?")


class _Tcp:
    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> str:
        self.socket.close()
        return ""


class _Proxy:
    """One end of a socket pair is the command's stdin and stdout, so it has timeouts."""

    def __init__(self, target: SshTarget) -> None:
        self.socket, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the wire
        with theirs:
            try:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", f"exec {target.proxy_command}"],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=self._words,
                    start_new_session=True,
                )
            except OSError as error:
                self.socket.close()
                raise UnreachableError(
                    target.name, f"no shell for the proxy command: {error}", "Is /bin/sh there?"
                ) from error

    def close(self) -> str:
        """A command that does not end when its stdin does is ended."""
        self.socket.close()
        try:
            self._process.wait(_PROXY_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._words:
            self._words.seek(0)
            return " ".join(self._words.read(_WORDS).decode(errors="replace").split())
