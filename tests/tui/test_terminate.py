"""Action safety: what a destructive dialog does, to which nodes, and when it does nothing."""

from __future__ import annotations

from textual.widgets import Button

from raytui.client.base import ClientError
from raytui.client.recorded import RecordedClient
from raytui.model.command import Terminate
from raytui.screens.terminate import TerminateScreen
from tests.tui import sample
from tests.tui.driving import command, go, opened, recorded, table, text, toasts, until


async def ready(pilot):
    """The dialog is open and knows what would die."""
    await until(pilot, lambda: isinstance(pilot.app.screen, TerminateScreen))
    await until(pilot, lambda: not pilot.app.screen.query_one("#go", Button).disabled)


async def test_it_lists_what_dies_and_the_same_as_a_shell_command():
    client = recorded(sample.snapshot(), impacts=sample.impacts())
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "space")
        table(pilot.app).select("i-0c12")
        await go(pilot, "space", "t")
        await ready(pilot)
        shown = text(pilot.app)
    for words in (
        "Terminate 2 nodes of prod-west",
        "running tasks are retried elsewhere: preprocess ×4",
        "3.6 GiB of objects",
        "jobs whose driver runs here fail: 12",
        "raytui terminate i-0a31 i-0c12 --drain 5m",
    ):
        assert words in shown


async def test_cancel_has_the_focus_and_enter_does_nothing():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "t")
        await ready(pilot)
        assert pilot.app.screen.query_one("#cancel", Button).has_focus
        await go(pilot, "enter")
        assert not isinstance(pilot.app.screen, TerminateScreen)
    assert client.sent == []


async def test_escape_does_nothing():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "t")
        await ready(pilot)
        await go(pilot, "escape")
        assert not isinstance(pilot.app.screen, TerminateScreen)
    assert client.sent == []


async def test_it_acts_on_the_nodes_it_was_opened_for_even_if_the_list_changes():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "t")
        await ready(pilot)
        # The first worker leaves: another node now stands where the cursor was.
        rows = tuple(row for row in sample.rows() if row.id != "i-0a31")
        client.play(sample.snapshot(1843, rows=rows))
        await until(pilot, lambda: pilot.app.session.snapshot.seq == 1843)
        await go(pilot, "right", "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [Terminate(("i-0a31",), 300.0, 10.0)]


async def test_the_head_cannot_be_chosen():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "t")
        assert any("is the head" in words for words in toasts(pilot.app))
        await go(pilot, "space", "space", "t")
        assert not isinstance(pilot.app.screen, TerminateScreen)
    assert client.sent == []


async def test_it_says_when_the_floor_brings_another_node():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2")
        table(pilot.app).select("i-0c12")
        await go(pilot, "space", "space", "t")
        await ready(pilot)
        words = "The floor of gpu-a10 is 1: the autoscaler will start another ($0.45/h)."
        assert words in text(pilot.app)


async def test_an_opened_node_can_be_terminated():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "enter", "t")
        await ready(pilot)
        await go(pilot, "tab", "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [Terminate(("i-0a31",), 300.0, 10.0)]


class SilentImpact(RecordedClient):
    """A cluster that cannot say what runs on its nodes."""

    async def impact(self, instance_ids):
        raise ClientError("the dashboard does not answer")


async def test_what_is_not_known_is_said_and_not_shown_as_nothing():
    client = SilentImpact([sample.snapshot()], pace_s=0)
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "t")
        await ready(pilot)
        shown = text(pilot.app)
    assert "What runs there is not known: the dashboard does not answer" in shown
    assert "nothing runs here" not in shown


async def test_typed_ids_open_the_same_dialog_from_any_page():
    client = recorded()
    async with opened(client) as pilot:
        await command(pilot, "terminate i-0b77 i-0b77")
        await ready(pilot)
        await go(pilot, "right", "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [Terminate(("i-0b77",), 300.0, 10.0)]


async def test_an_unknown_id_is_refused():
    client = recorded()
    async with opened(client) as pilot:
        await command(pilot, "terminate i-nope")
        assert any("there is no node i-nope" in words for words in toasts(pilot.app))
    assert client.sent == []
