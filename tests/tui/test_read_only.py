"""Read-only: whatever way a change is asked for, it is refused and said."""

from __future__ import annotations

import pytest

from raytui.client.base import ReadOnlyError
from raytui.model.command import Pause
from raytui.screens.help import HelpScreen
from raytui.screens.page import Page
from raytui.screens.verb_list import VERBS
from tests.tui import sample
from tests.tui.driving import go, opened, recorded, text, toasts

MUTATING = [verb for verb in VERBS if verb.mutates]


async def test_every_mutating_verb_is_refused_on_every_page_by_name_and_by_key():
    client = recorded(sample.snapshot(), read_only=True)
    async with opened(client) as pilot:
        for page in ("1", "2", "3"):
            await go(pilot, page, "down")
            for verb in MUTATING:
                before = len(toasts(pilot.app))
                pilot.app.screen.perform(verb, "cpu-small 3")
                assert "read-only" in toasts(pilot.app)[before], verb.id
                for key in filter(None, verb.keys.split(",")):
                    await go(pilot, key)
                    assert isinstance(pilot.app.screen, Page), verb.id
    assert client.sent == []


async def test_read_only_is_visible_in_the_header_and_in_help():
    async with opened(recorded(sample.snapshot(), read_only=True)) as pilot:
        assert "read-only" in text(pilot.app).splitlines()[0]
        await go(pilot, "question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        assert "Pause or resume the autoscaler (read-only)" in text(pilot.app)


async def test_the_client_itself_refuses_too():
    client = recorded(sample.snapshot(), read_only=True)
    with pytest.raises(ReadOnlyError):
        await client.send(Pause())
