"""A real server on a real port, and requests as raw as an attacker would make them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from raytui.web.gate import Gate
from raytui.web.server import WebServer, listening

DEMO = (sys.executable, "-m", "raytui", "demo", "--nodes", "12")
WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("RAYTUI_CLUSTER", raising=False)


@dataclass
class Answer:
    """What came back over the wire."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def cookie(self) -> str:
        """The cookie that was set, as it is to be sent."""
        return self.headers.get("set-cookie", "").partition(";")[0]


@dataclass
class Served:
    """One server, and its gate."""

    port: int
    gate: Gate

    @property
    def own(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.own}"

    async def ask(
        self, path: str, *headers: str, method: str = "GET", host: str | None = None
    ) -> Answer:
        """One request with exactly these headers; `host` None is the server's own."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.own if host is None else host}"]
        return await raw(self.port, [*lines, *headers])

    async def enter(self) -> str:
        """Exchange the token for the cookie."""
        target = urlsplit(self.gate.link)
        answer = await self.ask(f"{target.path}?{target.query}")
        assert answer.status == 200, answer
        return answer.cookie


async def raw(port: int, lines: Sequence[str]) -> Answer:
    """Send a head and read the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(WAIT_S):
        got = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        pairs = (line.partition(":") for line in got.splitlines()[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        has_body = not lines[0].startswith("HEAD")
        body = await reader.readexactly(int(headers.get("content-length", 0)) * has_body)
    writer.close()
    return Answer(int(got.split()[1]), headers, body.decode("latin-1"))


SOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """A server of a simulated cluster."""
    async for one in serving(DEMO):
        yield one


async def serving(argv: Sequence[str]) -> AsyncIterator[Served]:
    taken = listening(0)
    port = taken.getsockname()[1]
    gate = Gate(port)
    runner = web.AppRunner(WebServer(argv, "toy", gate).app(), shutdown_timeout=5)
    await runner.setup()
    await web.SockSite(runner, taken).start()
    yield Served(port, gate)
    await runner.cleanup()


def tab(session: ClientSession, served: Served, cookie: str):
    """A tab's connection, as the page makes it."""
    headers = {"Origin": served.origin, "Cookie": cookie}
    return session.ws_connect(f"{served.origin}/ws?width=100&height=30", headers=headers)


async def shows(connection: ClientWebSocketResponse, words: str) -> None:
    """Read until some words came; fails when the connection ends before."""
    got = b""
    async with asyncio.timeout(WAIT_S):
        while words.encode() not in got:
            message = await connection.receive()
            assert message.type in (WSMsgType.BINARY, WSMsgType.TEXT), (message, got)
            if message.type is WSMsgType.BINARY:
                got += message.data
