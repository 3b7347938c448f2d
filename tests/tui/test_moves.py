"""The moves from any row: describe, data, copy, logs, shell, dashboard."""

from __future__ import annotations

import json

import yaml
from textual.widgets import Input

from raytui.config import launched
from raytui.screens import moves, ownshell
from raytui.screens.datascreen import DataScreen
from raytui.screens.description import json_text, yaml_text
from raytui.screens.messages import OpenLog
from raytui.screens.node import NodeScreen
from raytui.screens.places import Places
from raytui.screens.reading import ReadingScreen
from tests.tui import sample, works
from tests.tui.driving import command, go, opened, recorded, table, text, toasts, until
from tests.tui.test_work_pages import page, posted
from tests.tui.works import working


async def test_a_description_tells_facts_in_sections_and_nodes_by_name():
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "6")
        await go(pilot, "d")
        shown = text(pilot.app)
    assert "actor " + "a" * 32 in shown
    assert f"i-0b80  {works.ray_id('i-0b80')[:20]}" in shown
    assert "{CPU: 1}" in shown
    assert "restarts" in shown


async def test_data_is_shown_as_yaml_and_as_json_and_can_be_copied():
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        await go(pilot, "y")
        assert isinstance(pilot.app.screen, DataScreen)
        assert "entrypoint: python train.py" in text(pilot.app)
        await go(pilot, "y")
        assert '"entrypoint": "python train.py"' in text(pilot.app)
        await go(pilot, "c")
        assert json.loads(pilot.app.clipboard)["job_id"] == "job-train"
        await go(pilot, "y", "c")
        assert yaml.safe_load(pilot.app.clipboard)["job_id"] == "job-train"
        await go(pilot, "escape")
        assert pilot.app.screen.page == "jobs"


def test_both_forms_say_the_same():
    row = sample.rows()[1]
    assert yaml.safe_load(yaml_text(row)) == json.loads(json_text(row))


async def test_words_are_found_in_a_long_text_and_gone_through():
    lines = [f"line {i}" for i in range(300)]
    lines[120] = "line 120 needle"
    lines[250] = "line 250 NEEDLE"
    async with opened(size=(80, 24)) as pilot:
        await pilot.app.push_screen(ReadingScreen("long", "\n".join(lines)))
        await go(pilot, "slash", *"needle", "enter")
        await until(pilot, lambda: "line 120 needle" in text(pilot.app))
        await go(pilot, "n")
        await until(pilot, lambda: "line 250 NEEDLE" in text(pilot.app))
        await go(pilot, "N")
        await until(pilot, lambda: "line 120 needle" in text(pilot.app))
        await go(pilot, "slash", "escape")
        assert isinstance(pilot.app.screen, ReadingScreen)
        await go(pilot, "escape")
        assert not isinstance(pilot.app.screen, ReadingScreen)


async def test_words_that_are_not_there_are_said_to_be_missing():
    async with opened() as pilot:
        await pilot.app.push_screen(ReadingScreen("short", "one\ntwo"))
        await go(pilot, "slash")
        pilot.app.screen.query_one(Input).value = "[bold]three"
        await go(pilot, "enter")
        assert toasts(pilot.app) == ["not in this text: [bold]three"]


async def test_c_copies_the_whole_id_of_the_row_and_says_so():
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "7")
        await go(pilot, "enter")
        await until(pilot, lambda: table(pilot.app).rows)
        await go(pilot, "c")
        assert pilot.app.clipboard == "1" * 48
        assert toasts(pilot.app) == ["copied the id of the task: " + "1" * 48]


async def test_every_page_of_the_cluster_has_something_under_its_cursor():
    async with opened() as pilot:
        for key, kind in (("1", "node type"), ("2", "node"), ("3", "decision")):
            await go(pilot, key)
            assert pilot.app.screen.subject().kind == kind
            await go(pilot, "d")
            assert isinstance(pilot.app.screen, ReadingScreen)
            await go(pilot, "escape", "y")
            assert isinstance(pilot.app.screen, DataScreen)
            await go(pilot, "escape")


async def test_what_waits_on_the_cluster_page_is_described_with_its_reason():
    async with opened() as pilot:
        table(pilot.app, "#demand").focus()
        await go(pilot, "d")
        assert "WHY IT WAITS" in text(pilot.app)
        assert "on 2 × cpu-small starting" in text(pilot.app)


async def test_a_node_is_described_with_why_it_is_here_and_what_it_has():
    async with opened() as pilot:
        await go(pilot, "2", "down", "d")
        shown = text(pilot.app)
    assert "4 tasks: preprocess ×4" in shown
    assert "WHY IT IS HERE" in shown
    assert "total" in shown
    assert "16 GiB" in shown
    assert "idle since" not in shown


async def test_a_node_stays_the_subject_of_its_page_after_it_has_gone():
    client = recorded()
    async with opened(client) as pilot:
        await command(pilot, "node i-0a31")
        await until(pilot, lambda: isinstance(pilot.app.screen, NodeScreen))
        rows = tuple(row for row in sample.rows() if row.id != "i-0a31")
        client.play(sample.snapshot(1843, rows=rows))
        await until(pilot, lambda: "gone" in text(pilot.app))
        assert pilot.app.screen.subject().id == "i-0a31"


async def test_l_on_a_node_asks_for_its_files(monkeypatch):
    async with opened() as pilot:
        await go(pilot, "2", "down")
        messages = posted(pilot.app, monkeypatch, OpenLog)
        await go(pilot, "l")
        await until(pilot, lambda: messages)
        asked = messages[0]
        assert (asked.node_id, asked.name, asked.title) == (
            works.ray_id("i-0a31"),
            "",
            "node i-0a31",
        )


async def test_a_node_that_ray_does_not_know_has_no_log_yet():
    async with opened() as pilot:
        await go(pilot, "2")
        table(pilot.app).select("i-0d06")
        await go(pilot, "l")
        assert "is on no node of Ray's" in toasts(pilot.app)[0]


async def test_s_runs_what_attaches_to_the_node_of_the_row(monkeypatch):
    ran = []
    monkeypatch.setattr(ownshell, "launched_clusters", lambda: ["prod-west"])
    monkeypatch.setattr(moves, "hand_over", lambda _app, argv: ran.append(argv) or "")
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "6")
        await go(pilot, "s")
    assert ran[0][1:] == ["-m", "raytui", "attach", "prod-west", "i-0b80"]


def test_a_cluster_of_this_machine_has_a_shell_here(monkeypatch):
    monkeypatch.setattr(ownshell, "launched_clusters", lambda: ["demo"])
    info = sample.snapshot().info.__class__("demo", "fake_multinode")
    argv = ownshell.shell_argv(info, "worker-1")
    assert argv[1:5] == ["-m", "raytui", "exec", "demo"]
    assert launched.launched_clusters() == []


async def test_the_dashboard_is_forwarded_until_the_key_comes_again():
    client, work = working()
    async with opened(client) as pilot:
        await go(pilot, "D")
        await until(pilot, lambda: work.forwarded == 1)
        await until(pilot, lambda: toasts(pilot.app))
        assert pilot.app.clipboard == "http://127.0.0.1:8265"
        assert "http://127.0.0.1:8265 (copied)" in toasts(pilot.app)[0]
        await go(pilot, "2", "D")
        await until(pilot, lambda: work.forwarded == 0)
        assert "no longer" in toasts(pilot.app)[-1]
        await go(pilot, "D")
        await until(pilot, lambda: work.forwarded == 1)
    assert work.forwarded == 0


async def test_a_dashboard_that_cannot_be_reached_is_said():
    async with opened() as pilot:
        await go(pilot, "D")
        await until(pilot, lambda: toasts(pilot.app))
        assert "not in the recording" in toasts(pilot.app)[0]


def test_a_node_that_is_not_in_the_list_is_called_by_the_beginning_of_its_id():
    places = Places(sample.snapshot())
    assert places.name(works.ray_id("i-0a31")) == "i-0a31"
    assert places.name("f" * 56) == "f" * 8
    assert places.name("") == ""
