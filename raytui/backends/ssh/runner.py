"""Runs commands, copies files and forwards ports on one host: the CommandRunner over SSH."""

from __future__ import annotations

import contextlib
import logging
import shlex
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import paramiko

from raytui.backends.base import CommandResult, Filters, LineSink
from raytui.backends.masking import masked
from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.errors import SshError
from raytui.backends.ssh.forward import forwarded
from raytui.backends.ssh.openssh import stream_argv
from raytui.backends.ssh.output import Output
from raytui.backends.ssh.remote_shell import RemoteCall, kill_call, login_call, plain_call
from raytui.backends.ssh.sync import folder_of, not_copied, remote_path, rsync

_log = logging.getLogger(__name__)

_TIMED_OUT = 124
"""Exit code of a command that was stopped because its time was up, as of timeout(1)."""
_KILLED = 137
_CHUNK = 64 << 10
_LOOK_S = 0.5
_KILL_S = 10.0
_CLOSE_S = 5.0
"""How long a killed command may take to tell its end before the connection is closed."""


class SshRunner:
    """One host. Commands run side by side on one connection; every wait is bounded.

    A command that was cut off with its connection may go on over there: the next command on this
    runner ends it first, so that nothing runs twice at once.
    """

    def __init__(self, connection: SshConnection) -> None:
        self.connection = connection
        self._running: set[_Running] = set()
        self._cut_off: deque[_Running] = deque()

    def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """Run an argument list to the end; stdout and stderr are combined.

        Exit code 124 means out of time (then all its processes are killed), 127 not found. Of
        much output the beginning and the end are kept; `on_line` gets all of it. Raises SshError.
        """
        call = plain_call(command, env or {})
        return self._run(call, shlex.join(command), env or {}, timeout_s, on_line)

    def run_shell(
        self,
        text: str,
        *,
        env: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> CommandResult:
        """Run a user's own shell text as Ray does, otherwise as `run`."""
        return self._run(login_call(text, env or {}), text, env or {}, timeout_s, on_line)

    def stream_command(self, command: Sequence[str]) -> list[str]:
        """An argv of OpenSSH's ssh whose stdin and stdout are those of `command` there."""
        return stream_argv(self.connection.target, self.connection.keys, command)

    def put(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """Copy a file or folder to the host, and the folders that it lies in.

        A trailing `/` at `source` means what is in the folder, as rsync has it; `~/` at `to` is
        the user's home there. `delete` removes what `source` does not have. Raises SshError.
        """
        target = self.connection.target
        made = self.run(["mkdir", "-p", "--", folder_of(to)], timeout_s=timeout_s)
        if made.exit_code:
            raise not_copied(target, made.exit_code, made.output)
        self._sync(source, remote_path(target, to), filters, delete, timeout_s, on_line)

    def get(
        self,
        source: str,
        to: str,
        *,
        filters: Filters | None = None,
        delete: bool = False,
        timeout_s: float | None = None,
        on_line: LineSink | None = None,
    ) -> None:
        """Copy a file or folder from the host, as `put` does the other way round."""
        source = remote_path(self.connection.target, source)
        self._sync(source, to, filters, delete, timeout_s, on_line)

    def forward(self, remote_port: int, local_port: int = 0) -> AbstractContextManager[int]:
        """A local loopback port that leads to one of the host, as long as the context lasts."""
        return forwarded(self.connection, remote_port, local_port)

    def close(self) -> None:
        """End the commands under way, which come back as killed, and the connection."""
        under_way = tuple(self._running)
        killed = [one for one in under_way if self.connection.is_open and self._kill(one)]
        patience = time.monotonic() + _CLOSE_S
        for one in killed:
            one.ended.wait(max(0.0, patience - time.monotonic()))
        self.connection.close()

    def _sync(
        self,
        source: str,
        to: str,
        filters: Filters | None,
        delete: bool,
        timeout_s: float | None,
        on_line: LineSink | None,
    ) -> None:
        _log.debug("%s: rsync %s %s", self.connection.target.name, source, to)
        rsync(
            self.connection.target,
            self.connection.keys,
            source,
            to,
            filters=filters or Filters(),
            delete=delete,
            timeout_s=timeout_s,
            on_line=on_line,
        )

    def _run(
        self,
        call: RemoteCall,
        words: str,
        env: Mapping[str, str],
        timeout_s: float | None,
        on_line: LineSink | None,
    ) -> CommandResult:
        host = self.connection.target.name
        shown = masked(words, env)
        _log.debug("%s: %s", host, shown)
        self._end_cut_off()
        output = Output(call, on_line)
        running = _Running(call.tag, output)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with contextlib.closing(self.connection.open_session()) as channel:
            self._running.add(running)
            try:
                result = self._follow(channel, call, output, deadline)
            except _OutOfTime:
                self._kill(running)
                result = CommandResult(_TIMED_OUT, output.text)
            except _CutOff:
                self._cut_off.append(running)
                raise self.connection.lost(f"running {shown}") from None
            except BaseException:
                self._kill(running)
                raise
            finally:
                self._running.discard(running)
                running.ended.set()
        _log.debug("%s: exit code %d of %s", host, result.exit_code, shown)
        return result

    def _follow(
        self, channel: paramiko.Channel, call: RemoteCall, output: Output, deadline: float | None
    ) -> CommandResult:
        with _channel_errors():
            channel.settimeout(_LOOK_S)
            channel.exec_command(call.line)
            _send(channel, call.script.encode(), deadline)
        while output.exit_code is None:
            data = _receive(channel)
            if data == b"":
                output.end()
                return CommandResult(_code_without_mark(channel, deadline), output.text)
            if data:
                output.feed(data)
            if deadline is not None and output.exit_code is None and time.monotonic() > deadline:
                raise _OutOfTime
        return CommandResult(output.exit_code, output.text)

    def _end_cut_off(self) -> None:
        while self._cut_off:
            with contextlib.suppress(IndexError):
                running = self._cut_off.popleft()
                if not self._kill(running):
                    self._cut_off.append(running)
                    return

    def _kill(self, running: _Running) -> bool:
        """Kill what a command left running; False when the host cannot be asked to."""
        if running.output.session is None:
            return True
        call = kill_call(running.output.session, running.tag)
        with (
            contextlib.suppress(SshError, _CutOff, _OutOfTime),
            contextlib.closing(self.connection.open_session()) as channel,
        ):
            self._follow(channel, call, Output(call), time.monotonic() + _KILL_S)
            return True
        return False


@dataclass(frozen=True, eq=False)
class _Running:
    tag: str
    output: Output
    ended: threading.Event = field(default_factory=threading.Event)


class _CutOff(Exception):  # noqa: N818 - an event, seen by nobody outside
    """The channel ended before the command did."""


class _OutOfTime(Exception):  # noqa: N818 - an event, seen by nobody outside
    """The command took longer than it may."""


def _code_without_mark(channel: paramiko.Channel, deadline: float | None) -> int:
    """The shell itself ended: by `exit` in a login file, killed, or cut off with all else."""
    while not channel.status_event.wait(_LOOK_S):
        if deadline is not None and time.monotonic() > deadline:
            raise _OutOfTime
    if channel.exit_status >= 0:
        return channel.exit_status
    if channel.eof_received:
        return _KILLED
    raise _CutOff


@contextlib.contextmanager
def _channel_errors() -> Iterator[None]:
    """Errors of the channel, apart from those of whoever takes the lines."""
    try:
        yield
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise _CutOff from error


def _receive(channel: paramiko.Channel) -> bytes | None:
    """The next bytes; empty at the end, None when there are none yet."""
    with _channel_errors():
        try:
            return channel.recv(_CHUNK)
        except TimeoutError:
            return None


def _send(channel: paramiko.Channel, data: bytes, deadline: float | None) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[channel.send(bytes(view[:_CHUNK])) :]
        except TimeoutError:
            if deadline is not None and time.monotonic() > deadline:
                raise _OutOfTime from None
    channel.shutdown_write()
