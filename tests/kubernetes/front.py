"""A door before the API server that sees every request of one client, and may do something then."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.kubernetes.control_plane import ADMIN, ControlPlane

_WRITES = ("POST", "PATCH", "DELETE", "PUT")
_HOP = {"connection", "transfer-encoding", "keep-alive"}


class Write:
    """A request that changes something, and the API server's answer to it."""

    def __init__(self, verb: str, path: str, code: int) -> None:
        self.verb = verb
        self.path = path
        self.code = code


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class Front:
    """Passes everything on. `on_write` is told of a write before its answer is passed back."""

    def __init__(self, plane: ControlPlane) -> None:
        self.on_write: Callable[[Write], None] = lambda write: None
        self.writes: list[Write] = []
        self._plane = plane
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                front._pass_on(self)

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self.server = _Server(("127.0.0.1", 0), Handler)

    def kubeconfig(self, path: Path, namespace: str) -> Path:
        """Write the administrator's kubeconfig through this door."""
        config: Any = self._plane.config_of(ADMIN, namespace)
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        config["clusters"][0]["cluster"] = {"server": url}
        path.write_text(yaml.safe_dump(config))
        return path

    def _pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length) if length else None
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in _HOP}
        headers.pop("Host", None)
        there = urlsplit(self._plane.url)
        context = ssl.create_default_context(cafile=str(self._plane.certificate))
        assert there.hostname is not None
        backend = http.client.HTTPSConnection(there.hostname, there.port, context=context)
        try:
            backend.request(handler.command, handler.path, body, headers)
            answer = backend.getresponse()
            if handler.command in _WRITES:
                write = Write(handler.command, handler.path, answer.status)
                self.writes.append(write)
                self.on_write(write)
            _answer(handler, answer)
        except (OSError, http.client.HTTPException):
            handler.close_connection = True  # its client is dead, or the server ends
        finally:
            backend.close()


def _answer(handler: BaseHTTPRequestHandler, answer: http.client.HTTPResponse) -> None:
    """Pass an answer back as it comes, piece by piece: it may be a watch."""
    handler.send_response(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in {*_HOP, "content-length"}:
            handler.send_header(name, value)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while data := answer.read1(1 << 16):
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        handler.wfile.flush()
    handler.wfile.write(b"0\r\n\r\n")


@contextmanager
def front(plane: ControlPlane) -> Iterator[Front]:
    """A door that is open while the block runs."""
    door = Front(plane)
    thread = threading.Thread(target=door.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        door.server.shutdown()
        door.server.server_close()
