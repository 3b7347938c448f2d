"""A real Chromium without a window, steered through its DevTools; and what its terminal shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.needs import BROWSERS

WAIT_S = 60.0
_SIZE = (1200, 800)

# The terminal emulator keeps its terminals to itself; each sets this attribute when it is made.
_CATCH_TERMINAL = """
Object.defineProperty(Object.prototype, '_core', {
  configurable: true,
  set(core) {
    Object.defineProperty(this, '_core', {value: core, writable: true, configurable: true});
    if ('loadAddon' in this) window.terminalOfTest = this;
  },
});
"""
_READ_TERMINAL = """
(() => {
  const buffer = window.terminalOfTest?.buffer.active;
  if (!buffer) return '';
  const lines = [];
  for (let row = 0; row < buffer.length; row++)
    lines.push(buffer.getLine(row).translateToString(true));
  return lines.join('\\n');
})()
"""


def chromium() -> str | None:
    """The browser's program, if this machine has one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Page:
    """One page of the browser."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self.events: list[dict[str, Any]] = []
        """What the browser told by itself, e.g. what its security policy has refused."""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser for something, and wait for its answer."""
        number = next(self._ids)
        await self._connection.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(WAIT_S):
            while True:
                said = await self._connection.receive_json()
                if said.get("id") == number:
                    assert "error" not in said, said
                    return said["result"]
                self.events.append(said)

    async def prepare(self) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=_CATCH_TERMINAL)

    async def go(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression is in the page."""
        done = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return done["result"].get("value")

    async def shown(self) -> str:
        """The terminal's lines."""
        return await self.value(_READ_TERMINAL) or ""

    async def until(self, words: str) -> str:
        """Wait until the terminal shows some words; the whole of what it shows."""
        end = time.monotonic() + WAIT_S
        while words not in (shown := await self.shown()):
            assert time.monotonic() < end, f"no {words!r} in:\n{shown}\n{self.complaints()}"
            await asyncio.sleep(0.1)
        return shown

    async def wait_for(self, expression: str) -> Any:
        """Wait until a JavaScript expression is true in the page; its value."""
        end = time.monotonic() + WAIT_S
        while not (value := await self.value(expression)):
            assert time.monotonic() < end, expression
            await asyncio.sleep(0.05)
        return value

    async def press(self, key: str) -> None:
        """Press a key that types one character."""
        await self.value("document.querySelector('.xterm-helper-textarea').focus()")
        for kind in ("keyDown", "keyUp"):
            typed = {"text": key} if kind == "keyDown" else {}
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **typed)

    async def screenshot(self) -> bytes:
        """What a person would see, as PNG."""
        return base64.b64decode((await self.call("Page.captureScreenshot"))["data"])

    def complaints(self) -> list[str]:
        """What the browser has logged as an error: refused by policy, not found, thrown."""
        logged = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        thrown = [e["params"] for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        return [e["text"] for e in logged if e["level"] == "error"] + [
            str(e["exceptionDetails"]) for e in thrown
        ]


@contextlib.asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A browser of our own for the length of a `with`, with an empty profile."""
    program = chromium()
    assert program is not None
    argv = [
        program,
        "--headless=new",
        "--no-sandbox",  # containers and root have none
        "--no-first-run",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        f"--window-size={_SIZE[0]},{_SIZE[1]}",
        "about:blank",
    ]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = await _port(folder / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                targets = await answer.json()
            address = next(t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page")
            async with session.ws_connect(address, max_msg_size=0) as connection:
                page = Page(connection)
                await page.prepare()
                yield page
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _port(file: Path, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + WAIT_S
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        assert time.monotonic() < end, "the browser does not say where it listens"
        await asyncio.sleep(0.05)
    return file.read_text().split()[0]
