"""Keys that come faster than a line can open go into the line, never to the page."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.events import Key
from textual.widgets import Input

from raytui.model.command import RequestResources
from raytui.model.resources import Resources
from raytui.screens.nodes import NodesScreen
from raytui.screens.setup import SetupScreen
from raytui.widgets.filterline import FilterLine
from tests.tui.driving import opened, recorded, until


def type_at_once(app: App[Any], text: str) -> None:
    """All keys are there before the first one is looked at, as when a terminal lagged."""
    names = {"/": "slash", ":": "colon", "=": "equals_sign", " ": "space", "\r": "enter"}
    for character in text:
        app.post_message(Key(names.get(character, character), character))


async def test_a_filter_takes_the_letters_that_are_verbs_elsewhere():
    client = recorded()
    async with opened(client) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, NodesScreen))
        type_at_once(pilot.app, "/tph=:/1")
        line = pilot.app.screen.query_one(FilterLine)
        await until(pilot, lambda: len(line.value) == 7)
        assert line.value == "tph=:/1"
        assert isinstance(pilot.app.screen, NodesScreen)
    assert client.sent == []


async def test_a_command_is_whole():
    client = recorded()
    async with opened(client) as pilot:
        type_at_once(pilot.app, ":setup\r")
        await until(pilot, lambda: isinstance(pilot.app.screen, SetupScreen))
    assert client.sent == []


async def test_a_request_is_whole():
    client = recorded()
    async with opened(client) as pilot:
        type_at_once(pilot.app, "rCPU=4 x3\r")
        await until(pilot, lambda: client.sent)
        assert not pilot.app.screen.query(Input)
    assert client.sent == [RequestResources(((Resources.of(CPU=4), 3),))]
