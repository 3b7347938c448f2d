"""A real browser: the link opens the screens, keys reach them, and read-only holds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from raytui.web.opening import page_with
from raytui.web.server import listening
from tests.support.browser import browser
from tests.support.needs import missing
from tests.web.conftest import DEMO, serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_the_link_opens_a_cluster_that_cannot_be_changed(tmp_path: Path):
    missing("chromium")
    async for served in serving((*DEMO, "--read-only")):
        async with browser(tmp_path / "profile") as page:
            await page.go(served.gate.link)
            await page.until("simulated-12")
            assert await page.value("location.href") == f"{served.origin}/"
            assert await page.value("document.cookie") == ""
            await page.press("2")
            assert "cpu-small" in await page.until("WHY IT IS HERE")
            await page.press("t")
            assert "Cancel" not in await page.until("Drain and terminate nodes")
            assert page.complaints() == []


async def test_with_actions_allowed_the_dialog_comes(tmp_path: Path):
    missing("chromium")
    async for served in serving(DEMO):
        async with browser(tmp_path / "profile") as page:
            await page.go(served.gate.link)
            await page.until("simulated-12")
            await page.press("2")
            await page.until("cpu-small")
            await page.press("G")
            await page.press("t")
            await page.until("Cancel")


async def test_a_file_that_leads_to_the_link_opens_it_too(tmp_path: Path):
    missing("chromium")
    async for served in serving(DEMO):
        with page_with(served.gate.link) as file:
            assert file.parent.stat().st_mode & 0o077 == 0
            async with browser(tmp_path / "profile") as page:
                await page.go(file.as_uri())
                await page.until("simulated-12")


async def test_another_page_gets_nothing_through_this_browser(tmp_path: Path):
    """What a browser that was let in sends from a page of another port on this machine."""
    missing("chromium")
    async for served in serving(DEMO):
        async with browser(tmp_path / "profile") as page:
            await page.go(served.gate.link)
            await page.until("simulated-12")
            async with elsewhere() as other:
                await page.go(other)
                await page.wait_for("document.title == 'other'")
                target = json.dumps(f"ws://{served.own}/ws")
                await page.value(
                    f"window.met = ''; window.socket = new WebSocket({target});"
                    "socket.onopen = () => met = 'open'; socket.onerror = () => met = 'refused'"
                )
                assert await page.wait_for("met") == "refused"


@contextlib.asynccontextmanager
async def elsewhere() -> AsyncIterator[str]:
    """The address of a page of somebody else on this machine."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(text="<title>other</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", show)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    taken = listening(0)
    await web.SockSite(runner, taken).start()
    yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
    await runner.cleanup()
