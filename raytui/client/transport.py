"""Ways to a daemon's control socket: the socket itself, or a command that bridges to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

_CHUNK = 1 << 18
_STDERR_KEPT = 2000
_END_WAIT_S = 2.0


class TransportError(Exception):
    """The daemon could not be reached; `str()` is one sentence."""


class ClusterDownError(TransportError):
    """There is nothing to reach any more: the cluster was taken down."""


class LastingError(TransportError):
    """It will be the same at the next try unless somebody does something first."""


class Stream(Protocol):
    """An open connection: bytes both ways."""

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of `data`; raises ConnectionError when the other side is gone."""
        ...

    async def close(self) -> TransportError | None:
        """End it; returns why it had ended by itself, if the other side has said so."""
        ...


class Transport(Protocol):
    """Opens connections, again and again."""

    async def open(self) -> Stream:
        """A new connection; raises TransportError."""
        ...


class UnixTransport:
    """The control socket on this machine."""

    def __init__(self, path: Path, is_down: Callable[[], bool] = lambda: False) -> None:
        self._path = path
        self._is_down = is_down

    async def open(self) -> Stream:
        """Connect to the socket."""
        try:
            reader, writer = await asyncio.open_unix_connection(os.fspath(self._path))
        except OSError as error:
            if self._is_down():
                raise ClusterDownError("the cluster is down") from None
            why = "no daemon listens" if isinstance(error, _NOBODY) else str(error.strerror)
            raise TransportError(f"{why} on {self._path}") from None
        return _SocketStream(reader, writer)


_NOBODY = (FileNotFoundError, ConnectionRefusedError)


class _SocketStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(_CHUNK)
        except ConnectionError:
            return b""

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


Explain = Callable[[int, str], TransportError]
"""Makes an error of a command's exit code (not 0) and its last words; may take its time."""


def _as_it_is(code: int, words: str) -> TransportError:
    return TransportError(words or f"the command ended with exit code {code}")


class StdioTransport:
    """A command whose stdin and stdout are the connection.

    `raytui daemon connect --stdio`, run here or, through ssh or kubectl, on a head.
    """

    def __init__(
        self,
        argv: Sequence[str] | Callable[[], Sequence[str]],
        is_down: Callable[[], bool] = lambda: False,
        explain: Explain = _as_it_is,
    ) -> None:
        """`argv` may be made anew for each try, and then raise TransportError."""
        self._argv = argv
        self._is_down = is_down
        self._explain = explain

    async def open(self) -> Stream:
        """Start the command; that it cannot connect shows as an early end of the stream."""
        if self._is_down():
            raise ClusterDownError("the cluster is down")
        pipe = asyncio.subprocess.PIPE
        argv = await asyncio.to_thread(self._argv) if callable(self._argv) else self._argv
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=pipe, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise TransportError(f"cannot run {argv[0]}: {error.strerror}") from None
        return _ProcessStream(process, self._explain)


class _Greeting:
    """Leaves out what login files print before the daemon's first line: that is an object."""

    def __init__(self) -> None:
        self._came = False
        self._line = b""
        """The unfinished line before, as much of it as matters."""

    def begin(self, data: bytes) -> bytes:
        """What of `data` is the conversation."""
        if self._came:
            return data
        lines = (self._line + data).split(b"\n")
        for number, line in enumerate(lines):
            if line.startswith(b"{"):
                self._came = True
                return b"\n".join(lines[number:])
        # Of an unfinished line its beginning will tell.
        self._line = lines[-1][:1]
        return b""


class _ProcessStream:
    def __init__(self, process: asyncio.subprocess.Process, explain: Explain) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._explain = explain
        self._greeting = _Greeting()
        self._words = b""
        self._listening = asyncio.create_task(self._listen(process.stderr))

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        """Read stderr always, or the command blocks on a full pipe; keep its end."""
        while data := await stderr.read(_CHUNK):
            self._words = (self._words + data)[-_STDERR_KEPT:]

    async def read(self) -> bytes:
        while data := await self._stdout.read(_CHUNK):
            if said := self._greeting.begin(data):
                return said
        return b""

    async def write(self, data: bytes) -> None:
        self._stdin.write(data)
        await self._stdin.drain()

    async def close(self) -> TransportError | None:
        self._stdin.close()
        await self._end()
        await asyncio.gather(self._listening, return_exceptions=True)
        code = self._process.returncode
        words = " ".join(self._words.decode(errors="replace").split())
        if not code or code < 0:
            return TransportError(words) if words else None
        return await asyncio.to_thread(self._explain, code, words)

    async def _end(self) -> None:
        """It ends by itself when its stdin is closed; one that does not is ended."""
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                # Not before it has had its time: this looks after the process, too, and of the
                # two who look only one learns the exit code.
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _END_WAIT_S)
                return
