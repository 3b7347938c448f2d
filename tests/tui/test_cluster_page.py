"""Page 1: what is shown, and the floor keys."""

from __future__ import annotations

import msgspec
from textual.widgets import Input

from raytui.model.command import Pause, RequestResources, Resume, SetFloor
from raytui.model.resources import Resources
from raytui.model.snapshot import Event, Level
from raytui.screens.reading import ReadingScreen
from raytui.screens.terminate import TerminateScreen
from tests.tui import sample
from tests.tui.driving import go, opened, recorded, table, text, toasts, until


async def test_it_shows_types_resources_demand_with_reasons_and_events():
    async with opened() as pilot:
        shown = text(pilot.app)
    for words in (
        "prod-west · aws · ● autoscaler live",
        "$1.82/h  (idle $0.38/h)",
        "◐ 2",
        "▽ 1",
        "✕ 3",
        "29/48",
        "31/96 GiB",
        "on 2 × cpu-small starting (ready in about 0m40s)",
        "✕ infeasible",
        "✓ launched 2 cpu-small for 18 × {CPU: 1}",
    ):
        assert words in shown


async def test_unknown_prices_are_not_shown_as_zero():
    async with opened(recorded(sample.snapshot(priced=False))) as pilot:
        shown = text(pilot.app)
    assert "no prices" in shown
    assert "$1.82" not in shown


async def test_floor_keys_act_on_the_selected_type():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "down", "plus")
        await until(pilot, lambda: client.sent)
        await go(pilot, "down", "down", "minus")
        await until(pilot, lambda: len(client.sent) == 2)
    assert client.sent == [SetFloor("cpu-small", 1), SetFloor("gpu-a10", 0)]


async def test_two_quick_steps_are_two_nodes():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "down", "plus", "plus", "minus")
        await until(pilot, lambda: len(client.sent) == 3)
    assert [command.floor for command in client.sent] == [1, 2, 1]


async def test_a_floor_stays_between_zero_and_the_limit():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "down", "minus")
        assert any("stays 0" in words for words in toasts(pilot.app))
    assert client.sent == []


async def test_the_head_has_no_floor():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "plus", "equals_sign")
        assert all("head is always" in words for words in toasts(pilot.app))
        assert len(toasts(pilot.app)) == 2
    assert client.sent == []


async def test_a_floor_is_asked_for_and_a_bad_one_is_explained_in_place():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "down", "equals_sign", "9", "9", "enter")
        assert "from 0 to 20" in text(pilot.app)
        pilot.app.screen.query_one(Input).value = "5"
        await go(pilot, "enter")
        await until(pilot, lambda: client.sent)
        await go(pilot, "equals_sign", "enter")
        await until(pilot, lambda: len(client.sent) == 2)
    assert client.sent == [SetFloor("cpu-small", 5), SetFloor("cpu-small", None)]


async def test_the_asked_floor_is_for_the_type_the_dialog_was_opened_on():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "down", "equals_sign")
        client.play(sample.snapshot(1843, types=sample.types()[::-1]))
        await until(pilot, lambda: pilot.app.session.snapshot.seq == 1843)
        await go(pilot, "3", "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [SetFloor("cpu-small", 3)]


async def test_an_event_opens_with_its_whole_story():
    async with opened() as pilot:
        await go(pilot, "tab", "tab", "down", "down", "enter")
        assert isinstance(pilot.app.screen, ReadingScreen)
        assert "do not have sufficient g5.2xlarge" in text(pilot.app)
        await go(pilot, "escape")
        assert not isinstance(pilot.app.screen, ReadingScreen)


async def test_the_selected_event_stays_selected_when_newer_ones_come():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "tab", "tab", "down")
        before = table(pilot.app, "#events").selected
        newer = Event(44, sample.NOW, Level.INFO, "something newer")
        client.play(sample.snapshot(1843, events=(newer, *sample.events())))
        await until(pilot, lambda: "something newer" in text(pilot.app))
        assert table(pilot.app, "#events").selected == before


async def test_enter_on_a_type_shows_its_nodes():
    async with opened() as pilot:
        await go(pilot, "down", "enter")
        await until(pilot, lambda: "match “type=cpu-small”" in text(pilot.app))
        assert {row.member.node_type for row in table(pilot.app).rows} == {"cpu-small"}


async def test_pause_asks_nothing_and_turns_into_resume():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "p")
        await until(pilot, lambda: client.sent)
        client.play(sample.snapshot(1843, paused_by="ana"))
        await until(pilot, lambda: "⏸ paused by ana" in text(pilot.app))
        await go(pilot, "p")
        await until(pilot, lambda: len(client.sent) == 2)
        assert toasts(pilot.app)
    assert client.sent == [Pause(), Resume()]


async def test_resources_are_requested_as_typed_and_cancelled_by_nothing():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "r")
        pilot.app.screen.query_one(Input).value = "CPU=4 y3"
        await go(pilot, "enter")
        assert "“y3” is no NAME=AMOUNT" in text(pilot.app)
        pilot.app.screen.query_one(Input).value = "CPU=4 x3, GPU=1"
        await go(pilot, "enter")
        await until(pilot, lambda: client.sent)
        await go(pilot, "r", "enter")
        await until(pilot, lambda: len(client.sent) == 2)
        await go(pilot, "r", "escape")
    assert client.sent == [
        RequestResources(((Resources.of(CPU=4), 3), (Resources.of(GPU=1), 1))),
        RequestResources(()),
    ]


async def test_trouble_of_the_autoscaler_is_said_in_full():
    trouble = "Ray's own autoscaler scales this cluster: stop it first"
    async with opened(recorded(sample.snapshot(trouble=trouble))) as pilot:
        shown = text(pilot.app)
    assert "✕ autoscaler does not act" in shown
    assert trouble in shown


async def test_hostile_words_are_only_words():
    nasty = "[/x][bold red]y[/] [@click=app.quit]z[/] \x1b[2J \u202e"
    types = (sample.types()[0], msgspec.structs.replace(sample.types()[1], name=nasty))
    events = (Event(50, sample.NOW, Level.ERROR, nasty, detail=nasty), *sample.events())
    outcome = msgspec.structs.replace(sample.outcomes()[0], label=nasty)
    rows = (msgspec.structs.replace(sample.rows()[1], member=sample.member(nasty, nasty)),)
    info = msgspec.structs.replace(sample.snapshot().info, cluster_name=nasty)
    hostile = sample.snapshot(
        info=info, types=types, events=events, outcomes=(outcome,), rows=rows, trouble=nasty
    )
    client = recorded(hostile)
    async with opened(client, size=(160, 40)) as pilot:
        await go(pilot, "down", "equals_sign", "escape", "tab", "enter")
        assert isinstance(pilot.app.screen, ReadingScreen)
        assert "[/x][bold red]y[/]" in text(pilot.app)
        await go(pilot, "escape", "tab", "enter")
        assert isinstance(pilot.app.screen, ReadingScreen)
        await go(pilot, "escape", "2", "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, TerminateScreen))
        await until(pilot, lambda: not pilot.app.screen.query_one("#go").disabled)
        shown = text(pilot.app)
        assert "[/x][bold red]y[/]" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        await go(pilot, "escape", "enter", "escape", "colon", *"node [", "escape", "ctrl+p")
        await go(pilot, "escape", "escape", "m")
        assert pilot.app.is_running
    assert client.sent == []


async def test_newest_event_stays_in_sight_however_many_come():
    client = recorded()
    async with opened(client) as pilot:
        new = tuple(
            Event(number, sample.NOW, Level.INFO, f"event number {number}")
            for number in range(140, 80, -1)
        )
        client.play(sample.snapshot(1843, events=(*new, *sample.events())))
        await until(pilot, lambda: "event number 140" in text(pilot.app))
