"""Log files of nodes, through the dashboard: which there are, and what is written into them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

from raytui.model.work import Listing, LogFile
from raytui.ray.authentication import headers_for
from raytui.ray.base import RayError
from raytui.ray.state_rows import told_by

LONGEST_LINE = 10_000
"""Bytes of a line that are told; `…` stands for the rest."""
_ASK_S = 10.0
_BLOCK = 64 << 10
_LOOK_EVERY_S = 0.5
"""How often the other side looks for new lines."""


def log_files(url: str, node_id: str) -> Listing[LogFile]:
    """The files in a node's log folder, by name; raises RayError."""
    query = urlencode({"node_id": node_id, "timeout": int(_ASK_S)})
    told = told_by(url, f"/api/v0/logs?{query}", "log files", _ASK_S)
    if "result" in told and isinstance(told["result"], dict):
        told = told["result"]
    found = [
        LogFile(node_id, str(name), str(kind))
        for kind, names in told.items()
        if isinstance(names, list)
        for name in names
        if not str(name).endswith("/")
    ]
    found.sort(key=lambda file: file.name)
    return Listing(tuple(found), len(found))


class LogStream:
    """The end of one log file, and with `follow` what is written from then on.

    Iterating blocks and is for one thread; `close` from another thread ends it. Whoever does not
    read keeps the other side waiting; nothing is kept here.
    """

    def __init__(self, url: str, node_id: str, name: str, *, tail: int, follow: bool) -> None:
        """Connects; raises RayError when the dashboard refuses, as for a file that is not there."""
        where = urlsplit(url)
        if where.scheme != "http" or where.hostname is None:
            raise RayError("this cluster has no dashboard that logs could be read through")
        kind = "stream" if follow else "file"
        asked: dict[str, object] = {"node_id": node_id, "filename": name, "lines": tail}
        if follow:
            asked["interval"] = _LOOK_EVERY_S
        self._closed = threading.Event()
        self._connection = http.client.HTTPConnection(where.hostname, where.port, timeout=_ASK_S)
        try:
            path = f"/api/v0/logs/{kind}?{urlencode(asked)}"
            self._connection.request("GET", path, headers=headers_for(url))
            self._answer = self._connection.getresponse()
            if self._answer.status != 200:
                words = self._answer.read(_BLOCK).decode(errors="replace").strip()
                raise RayError(f"{name}: {words.splitlines()[-1] if words else 'was refused'}")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise RayError(f"the dashboard at {url} does not answer: {error}") from error
        except RayError:
            self.close()
            raise
        if self._connection.sock is not None:
            self._connection.sock.settimeout(None)

    def __iter__(self) -> Iterator[list[str]]:
        """Lines as they come, several at once; raises RayError when the stream breaks off."""
        rest = b""
        while True:
            block = self._block()
            if not block:
                break
            *lines, rest = (rest + block).split(b"\n")
            rest = rest[: LONGEST_LINE + 1]
            if lines:
                yield [_line(line) for line in lines]
        if rest:
            yield [_line(rest)]

    def _block(self) -> bytes:
        try:
            return self._answer.read1(_BLOCK)
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            if self._closed.is_set():
                return b""
            raise RayError(f"the log broke off: {error or type(error).__name__}") from error

    def close(self) -> None:
        """End it; a thread that waits for lines goes on at once."""
        self._closed.set()
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _line(raw: bytes) -> str:
    text = raw[:LONGEST_LINE].decode(errors="replace").removesuffix("\r")
    return text + "…" if len(raw) > LONGEST_LINE else text
