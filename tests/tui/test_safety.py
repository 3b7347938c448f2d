"""What stands between a key and harm: typed counts, a time to take it back, read-only mode."""

from __future__ import annotations

import msgspec
from textual.widgets import Button, Input

from raytui.client.recorded import RecordedClient
from raytui.model.command import KeepNodes, Terminate
from raytui.model.reason import Why, because
from raytui.screens.terminate import TerminateScreen
from tests.tui import sample
from tests.tui.driving import command, go, opened, recorded, table, text, toasts, until


def many(count: int) -> RecordedClient:
    """A cluster with so many workers alike."""
    worker = next(row for row in sample.rows() if row.id == "i-0a31")
    instance, node = worker.member.instance, worker.member.node
    rows = [row for row in sample.rows() if row.member.is_head]
    for number in range(count):
        name = f"i-{number:04d}"
        member = msgspec.structs.replace(
            worker.member,
            instance=msgspec.structs.replace(instance, instance_id=name),
            node=msgspec.structs.replace(node, node_id=f"{number:056x}", instance_id=name),
        )
        rows.append(msgspec.structs.replace(worker, member=member))
    return recorded(sample.snapshot(rows=tuple(rows)))


async def ask_to_terminate(pilot, count: int) -> TerminateScreen:
    await go(pilot, "2", "down", *["space"] * count, "t")
    await until(pilot, lambda: isinstance(pilot.app.screen, TerminateScreen))
    screen = pilot.app.screen
    await until(pilot, lambda: "asking" not in text(pilot.app))
    return screen


async def test_up_to_three_nodes_need_no_number():
    async with opened(many(5)) as pilot:
        screen = await ask_to_terminate(pilot, 3)
        assert not screen.query("#typed")
        assert not screen.query_one("#go", Button).disabled


async def test_more_than_three_need_their_number_typed():
    client = many(5)
    async with opened(client) as pilot:
        screen = await ask_to_terminate(pilot, 4)
        assert screen.query_one("#cancel", Button).has_focus
        assert screen.query_one("#go", Button).disabled
        assert "Type 4, the number of nodes" in text(pilot.app)
        screen.query_one("#typed", Input).focus()
        await go(pilot, "3", "enter")
        assert screen.query_one("#go", Button).disabled
        assert screen.query_one("#cancel", Button).has_focus
        screen.query_one("#typed", Input).focus()
        await go(pilot, "backspace", "4", "enter")
        assert client.sent == []
        assert screen.query_one("#go", Button).has_focus
        await go(pilot, "enter")
        await until(pilot, lambda: client.sent)
    (sent,) = client.sent
    assert len(sent.instance_ids) == 4


async def test_the_right_number_is_not_enough_before_what_dies_is_told():
    async with opened(many(5)) as pilot:
        screen = await ask_to_terminate(pilot, 4)
        screen._is_told = False
        screen.query_one("#typed", Input).value = "4"
        await pilot.pause()
        assert screen.query_one("#go", Button).disabled


async def test_an_order_waits_so_that_it_can_be_taken_back():
    client = recorded()
    async with opened(client) as pilot:
        await ask_to_terminate(pilot, 1)
        assert "in which U takes it back" in text(pilot.app)
        await go(pilot, "right", "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [Terminate(("i-0a31",), 300.0, 10.0)]


async def test_what_waits_is_said_on_every_page_and_u_takes_it_back():
    now = sample.snapshot().taken_at
    reason = because(Why.ORDERED_SOON, by="ann", at=now + 8)
    rows = tuple(
        msgspec.structs.replace(row, reason=reason) if row.id == "i-0a31" else row
        for row in sample.rows()
    )
    client = recorded(sample.snapshot(rows=rows))
    async with opened(client) as pilot:
        for page in "123":
            await go(pilot, page)
            assert "1 node terminated in 0m08s" in text(pilot.app)
        await go(pilot, "U")
        await until(pilot, lambda: client.sent)
    assert client.sent == [KeepNodes(("i-0a31",))]


async def test_without_anything_waiting_there_is_nothing_to_take_back():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "U")
        assert any("no node waits" in words for words in toasts(pilot.app))
    assert client.sent == []


async def test_read_only_is_turned_on_and_off_while_it_runs():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "ctrl+r")
        assert "read-only" in text(pilot.app).splitlines()[0]
        await go(pilot, "h", "t")
        assert not isinstance(pilot.app.screen, TerminateScreen)
        assert client.sent == []
        await go(pilot, "ctrl+r", "h")
        await until(pilot, lambda: client.sent)


async def test_read_only_that_came_while_a_dialog_was_open_holds_where_it_is_carried_out():
    client = recorded()
    async with opened(client) as pilot:
        await ask_to_terminate(pilot, 1)
        client.read_only = True
        await go(pilot, "right", "enter")
        await until(pilot, lambda: any("read-only" in words for words in toasts(pilot.app)))
    assert client.sent == []


async def test_what_was_opened_read_only_stays_so():
    client = recorded(read_only=True)
    async with opened(client) as pilot:
        await go(pilot, "ctrl+r")
        assert client.read_only
        await command(pilot, "read-only")
        assert client.read_only
        assert any("opened read-only" in words for words in toasts(pilot.app))


async def test_marks_on_rows_that_are_hidden_by_a_filter_count():
    client = many(6)
    async with opened(client) as pilot:
        await go(pilot, "2", "down", *["space"] * 5)
        table(pilot.app).set_filter("i-0001")
        await go(pilot, "t")
        await until(pilot, lambda: isinstance(pilot.app.screen, TerminateScreen))
        assert "Type 5, the number of nodes" in text(pilot.app)
