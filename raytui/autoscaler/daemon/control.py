"""A word with a running daemon over its socket, for code that waits: launching, taking down."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from raytui.model import wire
from raytui.model.command import Ack, Command
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step

_CHUNK = 1 << 18


class ControlError(Exception):
    """No daemon answered; `str()` is one sentence."""


class ControlTimeoutError(ControlError):
    """The daemon said nothing in time."""


class Control:
    """A conversation with the daemon behind a socket, from `with` to its end."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._reader = wire.MessageReader()
        self._heard: deque[wire.ServerMessage] = deque()
        self._socket: socket.socket
        self.hello: wire.Hello

    def __enter__(self) -> Control:
        """Connect and be greeted; raises ControlError."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(self._timeout_s)
            self._socket.connect(os.fspath(self._path))
            self.hello = wire.check_hello(self._hear(time.monotonic() + self._timeout_s))
        except (OSError, wire.WireError) as error:
            self._socket.close()
            raise ControlError(f"no daemon answers on {self._path}: {error}") from None
        except ControlError:
            self._socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, command: Command) -> Ack:
        """Give a command and wait for its answer."""
        end = time.monotonic() + self._timeout_s
        self._say(wire.DoCommand(1, command, claimed_name()))
        while True:
            message = self._hear(end)
            if isinstance(message, wire.AckIs):
                return message.ack
            if isinstance(message, wire.Error):
                raise ControlError(message.message)

    def setup_steps(self) -> tuple[Step, ...]:
        """How far the set-up of nodes is."""
        end = time.monotonic() + self._timeout_s
        self._say(wire.SetupSteps(1))
        while True:
            message = self._hear(end)
            if isinstance(message, wire.SetupIs):
                return message.steps
            if isinstance(message, wire.Error):
                raise ControlError(message.message)

    def snapshots(self, deadline: float) -> Iterator[Snapshot]:
        """Snapshots as they come, until `deadline` (time.monotonic seconds)."""
        self._say(wire.Subscribe())
        newest = wire.Newest()
        while True:
            try:
                message = self._hear(deadline)
            except ControlTimeoutError:
                return
            if not isinstance(message, wire.SnapshotIs | wire.DeltaIs):
                continue
            try:
                snapshot = newest.take(message)
            except wire.MisfitError:
                self._say(wire.Subscribe())
            else:
                if snapshot is not None:
                    yield snapshot

    def _say(self, message: wire.ClientMessage) -> None:
        try:
            self._socket.sendall(wire.line_of(message))
        except OSError as error:
            raise ControlError(f"the daemon went away: {error}") from None

    def _hear(self, deadline: float) -> wire.ServerMessage:
        while not self._heard:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                raise ControlTimeoutError(f"the daemon behind {self._path} is silent") from None
            except OSError as error:
                raise ControlError(f"the daemon behind {self._path}: {error}") from None
            if not data:
                raise ControlError("the daemon closed the connection")
            try:
                self._heard.extend(self._reader.feed(data))
            except wire.WireError as error:
                raise ControlError(str(error)) from None
        return self._heard.popleft()


def claimed_name() -> str:
    """Who gives a command, as we say of ourselves: `user@host`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def greet(path: Path, timeout_s: float = 5.0) -> wire.Hello | None:
    """The greeting of the daemon behind a socket; None when none answers."""
    try:
        with Control(path, timeout_s) as control:
            return control.hello
    except ControlError:
        return None
