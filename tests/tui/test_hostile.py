"""Words of a cluster that would harm a terminal, in every field of everything that is shown."""

from __future__ import annotations

import unicodedata
from enum import Enum
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from raytui.client.recorded import RecordedClient
from raytui.model.work import Listing
from raytui.screens.pages import PAGES
from tests.tui import sample, works
from tests.tui.driving import go, opened, until

HOSTILE = (
    "[bold red]x[/][/nope][@click=app.quit]quit[/]",
    "\x1b[2J\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "\x1b]52;c;aGVsbG8=\x07\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\",
    "‮evil‬‏abc⁦x⁩",
    "👩‍👩‍👧‍👦🏴‍☠️ e\u0301\u0301\u0301\u0301 表示",
    "nul\x00 tab\t newline\n\r\nbell\x07 back\x08\x08",
    "x" * 10_000,
    "\x9b31mc1\x90dcs\x9c",
    "\udcff lone \ud800",
    "",
)


def with_words(value: Any, words: str, depth: int = 0) -> Any:
    """The same thing with these words in each of its texts; ids stay apart by a number."""
    if value is None or isinstance(value, Enum | bool | int | float):
        return value
    if isinstance(value, str):
        return words
    if isinstance(value, msgspec.Struct):
        fields = {
            name: _kept(value, name, with_words(getattr(value, name), words, depth + 1))
            for name in value.__struct_fields__
        }
        return type(value)(**fields)
    if isinstance(value, tuple | list):
        return type(value)(with_words(one, words, depth + 1) for one in value)
    if isinstance(value, dict):
        return {
            f"{with_words(k, words)}{n}": with_words(v, words)
            for n, (k, v) in enumerate(value.items())
        }
    return value


_IDS = ("instance_id", "node_id", "job_id", "actor_id", "task_id", "group_id", "object_id")


def _kept(of: msgspec.Struct, name: str, changed: Any) -> Any:
    """Ids differ from each other in the wild as well: the words, and what was there."""
    was = getattr(of, name)
    return f"{changed}{was}" if name in _IDS and isinstance(was, str) and was else changed


class HostileWork(works.WrittenWork):
    """The written work with other words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("jobs", "actors", "task_summary", "tasks", "placement_groups", "objects"):
            return found

        async def asked(*args: Any, **more: Any) -> Listing[Any]:
            listing = await found(*args, **more)
            return with_words(listing, self._words)

        return asked


def harmless(pilot) -> None:
    """Nothing on the screen would move a cursor, and every line is as wide as the terminal."""
    for strip in pilot.app.screen._compositor.render_strips():
        bad = [c for c in strip.text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        # Joiners hold emoji together; they move nothing.
        assert not [c for c in bad if c not in "‍️"], ascii(strip.text)
        # Where a dialog begins in the middle of a wide character, Textual leaves a column out.
        assert 0 <= pilot.app.size.width - cell_len(strip.text) <= 1, ascii(strip.text)


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
async def test_nothing_that_is_shown_harms_the_terminal(words: str) -> None:
    snapshot = with_words(sample.snapshot(), words)
    client = RecordedClient([snapshot], pace_s=0, work=HostileWork(words))
    async with opened(client) as pilot:
        for page in PAGES:
            await go(pilot, page.key)
            await until(pilot, lambda name=page.name: pilot.app.screen.page == name)
            await pilot.pause(0.05)
            harmless(pilot)
            for keys in (["down"], ["c"], ["d"], ["escape"], ["y"], ["y"], ["escape"], ["?"]):
                await go(pilot, *keys)
                harmless(pilot)
            await go(pilot, "escape")
        assert not [w for w in pilot.app.workers if w.error is not None]
