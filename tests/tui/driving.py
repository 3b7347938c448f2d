"""Driving the app in tests: open it, wait for what should come, read what stands there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot
from textual.widgets import Input

from raytui.app import RaytuiApp
from raytui.client.recorded import RecordedClient
from raytui.screens.page import Page
from raytui.widgets.table import LineTable
from tests.tui import sample

DEADLINE_S = 10.0


class Clock:
    """A monotonic clock that moves only when told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


async def until(pilot: Pilot, condition: Callable[[], object]) -> None:
    """Let the app work until the condition holds; fails after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"never came; on screen:\n{text(pilot.app)}"
        await pilot.pause()
        await asyncio.sleep(0.01)
    await pilot.pause()


@asynccontextmanager
async def opened(
    client: RecordedClient | None = None, *, size: tuple[int, int] = (120, 40), **options: object
) -> AsyncIterator[Pilot]:
    """The app on a client (the sample by default), settled on its first snapshot."""
    shown = client if client is not None else recorded()
    options.setdefault("clock", Clock())
    app = RaytuiApp(shown, **options)  # type: ignore[arg-type]
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.session is not None and app.session.snapshot is not None)
        await until(pilot, lambda: isinstance(app.screen, Page))
        await pilot.pause()
        yield pilot


def recorded(*updates: object, **options: object) -> RecordedClient:
    """A client that plays the updates at once (the sample snapshot by default)."""
    played = updates or (sample.snapshot(),)
    return RecordedClient(played, pace_s=0, **options)  # type: ignore[arg-type]


def text(app: object) -> str:
    """All words on the screen, line by line."""
    strips = app.screen._compositor.render_strips()  # type: ignore[attr-defined]
    return "\n".join(strip.text for strip in strips)


def toasts(app: RaytuiApp) -> list[str]:
    """All toasts in full, oldest first; also those that have faded."""
    return [words.partition("  ")[2] for words in reversed(app.messages)]


def table(app: RaytuiApp, selector: str = "LineTable") -> LineTable:
    """A list of the screen in front."""
    return app.screen.query(selector).first(LineTable)


async def command(pilot: Pilot, words: str) -> None:
    """Give a command on the `:` line."""
    await go(pilot, "colon")
    pilot.app.screen.query_one(Input).value = words
    await go(pilot, "enter")


async def go(pilot: Pilot, *keys: str) -> None:
    """Press keys and let everything settle."""
    await pilot.press(*keys)
    await pilot.pause()
