"""Page 2 and an opened node."""

from __future__ import annotations

from textual.widgets import Input

from raytui.model.command import HoldNodes, ReleaseNodes
from raytui.model.reason import Reason, Why
from raytui.model.snapshot import Row
from raytui.screens.node import NodeScreen
from tests.tui import sample
from tests.tui.driving import Clock, go, opened, recorded, table, text, toasts, until


def shown_ids(app):
    return [row.id for row in table(app).rows]


async def test_every_node_says_what_it_is_and_why_it_is_here():
    async with opened(size=(160, 40)) as pilot:
        await go(pilot, "2")
        shown = text(pilot.app)
    for words in (
        "10 NODES",
        "● running",
        "◌ idle",
        "◐ setting up",
        "▽ draining",
        "✕ lost",
        "idle 3m41s, leaves in 1m19s",
        "setting up for 0m48s · Collecting torch (cached)",
        "holds 3.6 GiB of objects",
        "lost: raylet exited with code 137",
        "4/4    ████",
        "0/1",
    ):
        assert words in shown
    held = next(line for line in shown.splitlines() if "i-0c40" in line)
    assert held.startswith(" ⏸ ")
    assert "held by ana until 15:23:20" in held


async def test_typing_a_filter_narrows_the_list_and_escape_gives_all_back():
    async with opened() as pilot:
        await go(pilot, "2", "slash", *"gpu")
        assert shown_ids(pilot.app) == ["i-0c12", "i-0c40", "i-0f99"]
        await go(pilot, "enter")
        assert table(pilot.app).has_focus
        assert "3 of 10 match “gpu”" in text(pilot.app)
        await go(pilot, "escape")
        assert len(shown_ids(pilot.app)) == 10


async def test_keys_typed_into_the_filter_are_text_and_not_commands():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "slash", *"tphq1")
        assert pilot.app.screen.query_one("#filter", Input).value == "tphq1"
        assert pilot.app.is_running
    assert client.sent == []


async def test_filters_know_keys_negation_and_expressions():
    async with opened() as pilot:
        await go(pilot, "2")
        for words, ids in (
            ("status=idle", ["i-0b77", "i-0c12"]),
            ("type=gpu !lost", ["i-0c12", "i-0c40"]),
            ("~^i-0b", ["i-0b77", "i-0b80"]),
            ("held=ana", ["i-0c40"]),
        ):
            pilot.app.screen.verb_filter(words)
            await pilot.pause()
            assert shown_ids(pilot.app) == ids, words


async def test_a_filter_goes_on_with_new_snapshots():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "slash", *"gpu", "enter")
        new = Row(sample.member("i-new", "gpu-a10"))
        client.play(sample.snapshot(1843, rows=(*sample.rows(), new)))
        await until(pilot, lambda: "i-new" in text(pilot.app))
        assert shown_ids(pilot.app) == ["i-0c12", "i-0c40", "i-0f99", "i-new"]


async def test_a_half_typed_expression_keeps_the_list_and_says_so():
    async with opened() as pilot:
        await go(pilot, "2", "slash", *"gpu", "enter")
        pilot.app.screen.verb_filter("~(")
        await pilot.pause()
        assert "not a regular expression" in text(pilot.app)
        assert len(shown_ids(pilot.app)) == 3


async def test_full_stop_and_comma_move_the_sort_and_o_turns_it_around():
    async with opened() as pilot:
        await go(pilot, "2", "full_stop")
        assert table(pilot.app).sorted_by == "NAME"
        await go(pilot, "o")
        assert shown_ids(pilot.app) == sorted(shown_ids(pilot.app), reverse=True)
        await go(pilot, "comma")
        assert shown_ids(pilot.app)[0] == "i-0001"
        assert shown_ids(pilot.app) == [row.id for row in sample.rows()]


async def test_selection_follows_its_node_through_a_refresh_and_a_sort():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "down", "down")
        assert table(pilot.app).selected.id == "i-0b80"
        client.play(sample.snapshot(1843, rows=sample.rows()[2:]))
        await until(pilot, lambda: len(shown_ids(pilot.app)) == 8)
        assert table(pilot.app).selected.id == "i-0b80"
        await go(pilot, "full_stop", "o")
        assert table(pilot.app).selected.id == "i-0b80"


async def test_hold_is_for_marked_nodes_and_releases_when_all_are_held():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "space", "space", "h")
        await until(pilot, lambda: client.sent)
        await go(pilot, "escape")
        table(pilot.app).select("i-0c40")
        await go(pilot, "h")
        await until(pilot, lambda: len(client.sent) == 2)
    assert client.sent == [HoldNodes(("i-0a31", "i-0b77")), ReleaseNodes(("i-0c40",))]


async def test_ages_go_on_between_snapshots():
    clock = Clock()
    async with opened(clock=clock, size=(160, 40)) as pilot:
        await go(pilot, "2")
        assert "idle 3m41s" in text(pilot.app)
        clock.at += 9
        await until(pilot, lambda: "idle 3m50s, leaves in 1m10s" in text(pilot.app))
        assert "14:23:29" in text(pilot.app)


async def test_enter_opens_a_node_and_escape_comes_back():
    logs = {"i-0a31": ["starting raylet", "[red]joined[/]", "\x1b[31mwarm"]}
    async with opened(recorded(sample.snapshot(), logs=logs)) as pilot:
        await go(pilot, "2", "down", "enter")
        assert isinstance(pilot.app.screen, NodeScreen)
        await until(pilot, lambda: "starting raylet" in text(pilot.app))
        shown = text(pilot.app)
        for words in (
            "busy: 4 tasks: preprocess ×4",
            "us-west-2a",
            "m5.xlarge on-demand",
            "ray.io/node-type",
            "[red]joined[/]",
            "warm",
        ):
            assert words in shown
        await go(pilot, "escape")
        assert table(pilot.app).selected.id == "i-0a31"


async def test_an_opened_node_that_leaves_keeps_its_last_facts():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "enter")
        client.play(sample.snapshot(1843, rows=sample.rows()[:1]))
        await until(pilot, lambda: "✕ gone" in text(pilot.app))
        assert "busy: 4 tasks" in text(pilot.app)


async def test_an_opened_node_can_be_held():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2", "down", "enter", "h")
        await until(pilot, lambda: client.sent)
    assert client.sent == [HoldNodes(("i-0a31",))]


async def test_a_row_that_makes_no_sense_takes_nothing_else_down():
    bad = Row(sample.member("i-bad", "cpu-small"), Reason(Why.BUSY, {"activity": None}))
    odd = (sample.rows()[0], bad, Row(sample.member("", "")), *sample.rows()[1:])
    async with opened(recorded(sample.snapshot(rows=odd))) as pilot:
        await go(pilot, "2", "full_stop", "full_stop", "full_stop")
        assert "i-0c12" in text(pilot.app)
        assert len(shown_ids(pilot.app)) == len(odd)


async def test_no_node_at_all_says_what_to_do():
    async with opened(recorded(sample.snapshot(rows=()))) as pilot:
        await go(pilot, "2")
        assert "no node to show" in text(pilot.app)
        await go(pilot, "t", "h", "enter", "space")
        assert any("no node" in words for words in toasts(pilot.app))


async def test_five_thousand_nodes_can_be_sorted_filtered_and_walked():
    async with opened(recorded(sample.many(5_000))) as pilot:
        await go(pilot, "2", "end")
        assert "i-04999" in text(pilot.app)
        await go(pilot, "slash", *"4321", "enter")
        assert shown_ids(pilot.app) == ["i-04321"]


async def test_a_snapshot_that_cannot_be_shown_is_told_once_and_the_next_one_is_shown():
    client = recorded()
    async with opened(client) as pilot:
        await go(pilot, "2")
        for seq in (1843, 1844):
            client.play(sample.snapshot(seq, rows=(Row(None),)))  # type: ignore[arg-type]
            await until(pilot, lambda seq=seq: pilot.app.session.snapshot.seq == seq)
        assert len([words for words in toasts(pilot.app) if "cannot be shown" in words]) == 1
        client.play(sample.snapshot(1845, rows=sample.rows()[:2]))
        await until(pilot, lambda: shown_ids(pilot.app) == ["i-0001", "i-0a31"])
