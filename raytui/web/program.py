"""One run of the screens for one browser tab: it begins and ends with the tab's WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from raytui.web.words import Focused, Pinged, Resized, Said, Typed, WordError, read_word

_END_WAIT_S = 5.0
_UNSEEN = (
    b"\r\n  The program ended before it showed anything. Why: on the terminal of raytui web.\r\n"
)


class Program(AppService):
    """A process with the web driver, and the socket that it speaks to."""

    def __init__(
        self, argv: Sequence[str], socket: web.WebSocketResponse, downloads: DownloadManager
    ) -> None:
        super().__init__(
            "",
            write_bytes=self._show,
            write_str=socket.send_str,
            close=self._hang_up,
            download_manager=downloads,
        )
        self._argv = argv
        self._socket = socket
        self._has_shown = False

    async def serve(self, width: int, height: int) -> None:
        """Run until the program or the tab ends; then neither is left."""
        try:
            await self.start(width, height)
            await self._obey()
        finally:
            await self.end()

    async def end(self) -> None:
        """Ask it to leave, and end it when it does not."""
        try:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(_END_WAIT_S):
                    await self.stop()
                    await self._gone()
        finally:
            if self._process is not None and self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()

    async def run(self) -> None:
        """Carry its output over; when it ends, so does the connection."""
        await super().run()
        if not self._has_shown:
            await self._show(_UNSEEN)
        await self._hang_up()

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        # The base class would ask a shell.
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
        )
        self._stdin = self._process.stdin
        return self._process

    async def _obey(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                break
            try:
                await self._take(read_word(message.data))
            except WordError:
                break
        await self._hang_up()

    async def _take(self, word: Said) -> None:
        match word:
            case Typed(text):
                await self.send_bytes(text.encode("utf-8", "replace"))
            case Resized(width, height):
                await self.set_terminal_size(width, height)
            case Pinged(value):
                await self._socket.send_json(["pong", value])
            case Focused(True):
                await self.focus()
            case Focused(False):
                await self.blur()

    async def _show(self, data: bytes) -> None:
        self._has_shown = True
        with contextlib.suppress(ConnectionError):
            await self._socket.send_bytes(data)

    async def _hang_up(self) -> None:
        await self._socket.close()

    async def _gone(self) -> None:
        if self._process is not None:
            await self._process.wait()
