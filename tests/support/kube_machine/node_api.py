"""A kubelet's HTTPS API, to which the API server passes on exec, portForward and containerLogs."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from aiohttp import web

from tests.support.kube_machine.container import Container
from tests.support.kube_machine.pod_run import PodRun
from tests.support.kube_machine.streaming import PROTOCOLS, forward_ports, run_command

Find = Callable[[str, str], "PodRun | None"]
"""A pod that runs here, by namespace and name."""

_POLL_S = 0.1


@contextmanager
def node_api(find: Find, folder: Path) -> Iterator[int]:
    """The API as long as the context lasts; gives its port on 127.0.0.1."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="node api", daemon=True)
    thread.start()
    runner = web.AppRunner(_Application(find).made(), shutdown_timeout=0.5)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_certified(folder))
        await site.start()
        return int(runner.addresses[0][1])

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=20)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)


class _Application:
    """What is asked of a machine, at the paths that a kubelet has for it."""

    def __init__(self, find: Find) -> None:
        self._find = find

    def made(self) -> web.Application:
        application = web.Application()
        one = "{namespace}/{pod}"
        application.router.add_get(f"/exec/{one}/{{container}}", self._exec)
        application.router.add_get(f"/portForward/{one}", self._port_forward)
        application.router.add_get(f"/containerLogs/{one}/{{container}}", self._logs)
        return application

    async def _exec(self, request: web.Request) -> web.WebSocketResponse:
        container = self._container(request)
        if not (process := container.process):
            raise web.HTTPInternalServerError(
                text=f"unable to upgrade connection: container not running ({container.name})"
            )
        query = request.query
        command = query.getall("command", [])
        wanted = {name: query.get(name) == "1" for name in ("input", "output", "error", "tty")}
        ws = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
        await ws.prepare(request)
        await run_command(
            ws,
            process,
            command,
            stdin=wanted["input"],
            stdout=wanted["output"],
            stderr=wanted["error"],
            tty=wanted["tty"],
        )
        return ws

    async def _port_forward(self, request: web.Request) -> web.WebSocketResponse:
        pod = self._pod(request)
        if not pod.network:
            raise web.HTTPInternalServerError(text="pod has no network yet")
        listed = request.query.getall("port", [])
        ports = [int(port) for words in listed for port in words.split(",")]
        ws = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
        await ws.prepare(request)
        await forward_ports(ws, pod.network, ports, pod.name)
        return ws

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        container, query = self._container(request), request.query
        log = container.log(previous=query.get("previous") == "true")
        if log is None or not log.exists():
            which = "previous terminated " if query.get("previous") == "true" else ""
            said = f'{which}container "{container.name}" in pod is not there: no lines yet'
            raise web.HTTPBadRequest(text=said)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        shown = _Shown(query.get("timestamps") == "true", _since(query))
        with log.open("rb") as opened:
            lines = opened.readlines()
            tail = query.get("tailLines")
            for line in lines[len(lines) - int(tail) if tail and int(tail) < len(lines) else 0 :]:
                await response.write(shown(line))
            while query.get("follow") == "true":
                ended = not container.is_running() or container.log() != log
                if line := opened.readline():
                    await response.write(shown(line))
                elif ended or request.transport is None or request.transport.is_closing():
                    break
                else:
                    await asyncio.sleep(_POLL_S)
        await response.write_eof()
        return response

    def _pod(self, request: web.Request) -> PodRun:
        words = request.match_info
        if not (found := self._find(words["namespace"], words["pod"])):
            raise web.HTTPNotFound(text="pod does not exist")
        return found

    def _container(self, request: web.Request) -> Container:
        name = request.match_info["container"]
        if not (found := self._pod(request).container(name)):
            raise web.HTTPNotFound(text=f'container not found ("{name}")')
        return found


class _Shown:
    """A line of a log as it was asked for: with its time or without; nothing when it is too old."""

    def __init__(self, timestamps: bool, since: str) -> None:
        self._timestamps = timestamps
        self._since = since

    def __call__(self, line: bytes) -> bytes:
        time, _, text = line.partition(b" ")
        if time.decode() < self._since:
            return b""
        return line if self._timestamps else text


def _since(query: web.Request.query) -> str:  # type: ignore[name-defined]
    """The first time that is shown, as the log has it; empty: all."""
    if seconds := query.get("sinceSeconds"):
        return (datetime.now(UTC) - timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%S")
    return str(query.get("sinceTime", "")).rstrip("Z")


def _certified(folder: Path) -> ssl.SSLContext:
    """Self-signed: an API server that has no authority for kubelets takes any certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubelet")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    both = folder / "kubelet.pem"
    both.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context
