"""Serves the screens to browsers on this machine: textual-serve's programs behind our own gate."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import textual_serve
from aiohttp import WSCloseCode, web
from textual_serve.download_manager import DownloadManager

from raytui.web.gate import Gate
from raytui.web.page import admitted, headers, page
from raytui.web.program import Program
from raytui.web.words import cells

MOST_TABS = 4
"""Each is a process of its own."""
_STATIC = Path(textual_serve.__file__).parent / "static"
_MOST_SAID_BYTES = 1 << 20
"""A message of the page: at most a paste."""
_HEARTBEAT_S = 15.0
_GOODBYE_S = 2.0
"""How long a tab has to agree that its connection ends."""
_END_WAIT_S = 10.0
_READS = frozenset({"GET", "HEAD"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def listening(port: int) -> socket.socket:
    """A socket on this machine's own address alone; port 0 is any free one. Raises OSError."""
    taken = socket.create_server(("127.0.0.1", port))
    taken.setblocking(False)
    return taken


class WebServer:
    """Runs `argv` anew for every tab of a browser that the gate lets in."""

    def __init__(self, argv: Sequence[str], title: str, gate: Gate) -> None:
        self._argv = argv
        self._title = title
        self._gate = gate
        self._downloads = DownloadManager()
        self._tabs: dict[web.WebSocketResponse, Program] = {}

    async def serve(self, taken: socket.socket, ready: Callable[[], None]) -> None:
        """Serve until a signal asks to end; no program is left then."""
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, asked.set)
        # No log of requests: the first one has the token in it.
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=_END_WAIT_S)
        await runner.setup()
        try:
            await web.SockSite(runner, taken).start()
            ready()
            await asked.wait()
        finally:
            await runner.cleanup()

    def app(self) -> web.Application:
        """Everything behind the gate."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._page)
        app.router.add_get("/ws", self._terminal)
        app.router.add_get("/download/{key}", self._download)
        app.router.add_static("/static", _STATIC)
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self._end_all)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in or not; an error says no more than that."""
        is_socket = request.path == "/ws"
        acts = is_socket or request.method not in _READS
        why = self._gate.stranger(request.headers, acts=acts, enters=request.path == "/")
        if why:
            return web.Response(status=403, text=f"{why}\n")
        if request.path == "/" and "token" in request.query and request.method == "GET":
            return self._admit(request.query["token"])
        if not self._gate.knows(request.cookies):
            words = "open the link that raytui web has printed; it is good for one browser, once\n"
            return web.Response(status=401, text=words)
        return await handler(request)

    def _admit(self, token: str) -> web.Response:
        session = self._gate.exchange(token)
        if session is None:
            words = "this link was used already, or is of another server: start raytui web anew\n"
            return web.Response(status=401, text=words)
        answer = web.Response(text=admitted(), content_type="text/html")
        answer.set_cookie(self._gate.cookie, session, httponly=True, samesite="Strict", path="/")
        return answer

    async def _page(self, request: web.Request) -> web.Response:
        size = request.query.get("fontsize", "")
        return web.Response(text=page(self._title, request.host, size), content_type="text/html")

    async def _terminal(self, request: web.Request) -> web.StreamResponse:
        if len(self._tabs) >= MOST_TABS:
            return web.Response(status=503, text=f"at most {MOST_TABS} tabs at a time\n")
        tab = web.WebSocketResponse(
            timeout=_GOODBYE_S, heartbeat=_HEARTBEAT_S, max_msg_size=_MOST_SAID_BYTES
        )
        program = self._tabs[tab] = Program(self._argv, tab, self._downloads)
        try:
            await tab.prepare(request)
            await program.serve(_cells(request, "width", 80), _cells(request, "height", 24))
        finally:
            del self._tabs[tab]
        return tab

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """A file that a program of ours has offered; always to be saved, never shown."""
        key = request.match_info["key"]
        try:
            offered = await self._downloads.get_download_metadata(key)
        except KeyError:
            raise web.HTTPNotFound(text="there is no such file\n") from None
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in offered.file_name)
        answer = web.StreamResponse()
        answer.content_type = "application/octet-stream"
        answer.headers["Content-Disposition"] = (
            f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        )
        await answer.prepare(request)
        async for chunk in self._downloads.download(key):
            await answer.write(chunk)
        await answer.write_eof()
        return answer

    async def _end_all(self, _: web.Application) -> None:
        tabs = [tab.close(code=WSCloseCode.GOING_AWAY) for tab in self._tabs]
        programs = [program.end() for program in self._tabs.values()]
        await asyncio.gather(*tabs, *programs, return_exceptions=True)


async def _add_headers(request: web.Request, answer: web.StreamResponse) -> None:
    answer.headers.update(headers(request.host))


def _cells(request: web.Request, name: str, usual: int) -> int:
    asked = request.query.get(name, "")
    return cells(int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 6 else usual
