"""The output of a job as it comes: the one WebSocket of Ray's dashboard that we listen to."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlsplit

from raytui.ray.authentication import headers_for
from raytui.ray.base import RayError

_CONNECT_S = 10.0
_MOST_HEADER_BYTES = 64 << 10
_CLOSE, _PING, _PONG = 8, 9, 10
"""Kinds of frames (RFC 6455, 5.2); all others are parts of messages."""


def tail(dashboard_url: str, job_id: str) -> Iterator[str]:
    """What the job's driver prints, from its first line, until the job or the connection ends.

    Which of the two it was tells the job's status. Raises RayError when the dashboard refuses.
    """
    with contextlib.closing(JobTail(dashboard_url, job_id)) as job:
        yield from job.texts()


class JobTail:
    """The output of one job. Reading blocks and is for one thread; `close` ends it from any."""

    def __init__(self, dashboard_url: str, job_id: str) -> None:
        """Connects; raises RayError when the dashboard does not answer, or refuses."""
        where = urlsplit(dashboard_url)
        if where.scheme != "http" or where.hostname is None:
            raise RayError("this cluster has no dashboard that output could be followed through")
        path = f"/api/jobs/{quote(job_id, safe='')}/logs/tail"
        address = (where.hostname, where.port or 80)
        try:
            self._connection = socket.create_connection(address, timeout=_CONNECT_S)
        except OSError as error:
            raise RayError(f"the dashboard at {dashboard_url} does not answer: {error}") from error
        self._stream = _Stream(self._connection)
        self._is_over = False
        try:
            _shake_hands(self._stream, where.netloc, path, headers_for(dashboard_url))
            self._connection.settimeout(None)
        except (EOFError, ConnectionError):
            self._is_over = True
        except BaseException:
            self._connection.close()
            raise

    def texts(self) -> Iterator[str]:
        """Pieces of the output as they come, cut anywhere."""
        if not self._is_over:
            with contextlib.suppress(EOFError, OSError):
                yield from _texts(self._stream)

    def __iter__(self) -> Iterator[list[str]]:
        """Lines as they come, several at once."""
        rest = ""
        for text in self.texts():
            *lines, rest = (rest + text).split("\n")
            if lines:
                yield [line.removesuffix("\r") for line in lines]
        if rest:
            yield [rest]

    def close(self) -> None:
        """End it; a thread that waits for output goes on at once."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class _Stream:
    """Exact numbers of bytes from a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")

    def line(self) -> bytes:
        return self._file.readline(_MOST_HEADER_BYTES)

    def read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)


def _shake_hands(stream: _Stream, host: str, path: str, more: Mapping[str, str]) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        **more,
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    stream.write("\r\n".join([*lines, "", ""]).encode())
    answer = stream.line().decode(errors="replace").split(maxsplit=2)
    length = 0
    while (header := stream.line()) not in (b"\r\n", b"\n", b""):
        name, _, value = header.decode(errors="replace").partition(":")
        if name.lower() == "content-length" and value.strip().isdecimal():
            length = int(value)
    if len(answer) < 2:
        raise EOFError
    if answer[1] != "101":
        words = stream.read(min(length, _MOST_HEADER_BYTES)).decode(errors="replace").strip()
        raise RayError(f"the dashboard refused {path}: {answer[1]} {words or answer[-1].strip()}")


def _texts(stream: _Stream) -> Iterator[str]:
    """Whole messages, until the other side closes."""
    parts: list[bytes] = []
    while True:
        first, second = stream.read(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", stream.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", stream.read(8))
        payload = stream.read(size)
        kind, is_last = first & 0x0F, first & 0x80
        if kind == _CLOSE:
            return
        if kind == _PING:
            stream.write(_masked(_PONG, payload))
        elif kind != _PONG:
            parts.append(payload)
            if is_last:
                yield b"".join(parts).decode(errors="replace")
                parts = []


def _masked(kind: int, payload: bytes) -> bytes:
    """A frame of a client, at most 125 bytes, as those that are answered here (RFC 6455, 5.3)."""
    mask = os.urandom(4)
    hidden = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes((0x80 | kind, 0x80 | len(payload))) + mask + hidden
