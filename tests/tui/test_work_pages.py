"""Pages of work: jobs, actors, tasks, placement groups, objects."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.widgets import Button, Input, TextArea

from raytui.app import RaytuiApp
from raytui.screens.actors import ActorsScreen
from raytui.screens.groups import GroupsScreen
from raytui.screens.jobs import JobsScreen
from raytui.screens.messages import OpenJobLog, OpenLog
from raytui.screens.objects import ObjectRowsScreen, ObjectsScreen
from raytui.screens.pages import PAGE_TITLES
from raytui.screens.stopjob import StopJobScreen
from raytui.screens.submitjob import SubmissionError, SubmitJobScreen, submission_of
from raytui.screens.tasks import TaskRowsScreen, TasksScreen
from raytui.screens.verbs import verbs_on
from tests.tui import works
from tests.tui.driving import command, go, opened, table, text, toasts, until
from tests.tui.works import working


async def page(pilot, key: str) -> None:
    """Go to a page and wait for its rows."""
    await go(pilot, key)
    await until(pilot, lambda: pilot.app.screen.listing is not None)


async def stop_asked(pilot) -> None:
    """The dialog is open and knows what would die."""
    await until(pilot, lambda: isinstance(pilot.app.screen, StopJobScreen))
    await until(pilot, lambda: not pilot.app.screen.query_one("#go", Button).disabled)


def line_with(app: RaytuiApp, words: str) -> str:
    return next(line for line in text(app).splitlines() if words in line)


def posted(app: RaytuiApp, monkeypatch, kind: type) -> list:
    """What pages ask of the app from now on."""
    messages: list = []
    before = app._on_message

    async def noted(message) -> None:
        if isinstance(message, kind):
            messages.append(message)
        await before(message)

    monkeypatch.setattr(app, "_on_message", noted)
    return messages


# Jobs


async def test_jobs_say_how_they_stand_where_they_run_and_why_they_wait():
    client, _ = working()
    async with opened(client, size=(160, 40)) as pilot:
        await page(pilot, "4")
        assert "● running" in line_with(pilot.app, "job-train")
        assert "i-0001" in line_with(pilot.app, "job-train")
        assert "1 × {CPU: 1}: on 2 × cpu-small starting" in line_with(pilot.app, "job-train")
        assert "Job has not started yet." in line_with(pilot.app, "job-eval")
        assert "✕ failed" in line_with(pilot.app, "job-old")
        assert "4 JOBS" in text(pilot.app)


async def test_stopping_tells_what_dies_and_the_same_as_a_shell_command():
    client, work = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        await go(pilot, "x")
        await stop_asked(pilot)
        shown = text(pilot.app)
        assert "2 actors and 2 tasks" in shown
        assert "raytui job stop job-train -c prod-west" in shown
        assert pilot.app.screen.query_one("#cancel", Button).has_focus
        await go(pilot, "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, StopJobScreen))
    assert work.stopped == []


async def test_the_job_that_was_asked_about_is_stopped_even_if_its_row_has_gone():
    client, work = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        await go(pilot, "x")
        await stop_asked(pilot)
        work.job_rows = works.JOBS[1:]
        await until(pilot, lambda: len(pilot.app.screen_stack[-2].listing.rows) == 3)
        await go(pilot, "right", "enter")
        await until(pilot, lambda: work.stopped)
        await until(pilot, lambda: "job-train is being stopped" in toasts(pilot.app))
    assert work.stopped == ["job-train"]


async def test_escape_stops_nothing():
    client, work = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        await go(pilot, "x")
        await stop_asked(pilot)
        await go(pilot, "escape")
        assert not isinstance(pilot.app.screen, StopJobScreen)
    assert work.stopped == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("stop job-old", "job-old has already ended: failed"),
        ("stop 03000000", "03000000 was not submitted"),
        ("stop nope", "there is no job nope"),
    ],
)
async def test_what_cannot_be_stopped_is_said(typed, words):
    client, work = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        await command(pilot, typed)
        assert any(words in toast for toast in toasts(pilot.app))
    assert work.stopped == []


async def test_read_only_refuses_to_stop_and_to_submit():
    client, work = working(read_only=True)
    async with opened(client) as pilot:
        await page(pilot, "4")
        await go(pilot, "x", "n")
        await command(pilot, "submit echo hello")
        assert len(toasts(pilot.app)) == 3
        assert all("read-only" in toast for toast in toasts(pilot.app))
    assert (work.stopped, work.submitted) == ([], [])


async def test_a_dialog_that_was_open_when_read_only_came_stops_nothing():
    client, work = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        await go(pilot, "x")
        await stop_asked(pilot)
        client.read_only = True
        await go(pilot, "right", "enter")
        await until(pilot, lambda: toasts(pilot.app))
        assert "read-only" in toasts(pilot.app)[-1]
    assert work.stopped == []


async def test_a_job_is_submitted_with_its_runtime_env():
    client, work = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        await go(pilot, "n")
        await until(pilot, lambda: isinstance(pilot.app.screen, SubmitJobScreen))
        dialog = pilot.app.screen
        await go(pilot, "enter")
        assert "a command is needed" in text(pilot.app)
        dialog.query_one("#entrypoint", Input).value = "python train.py"
        dialog.query_one("#env", TextArea).text = "pip: [requests]"
        await go(pilot, "enter")
        await until(pilot, lambda: "submitted job-new" in toasts(pilot.app))
    assert work.submitted == [("python train.py", {"pip": ["requests"]})]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ((" ", "", ""), "a command is needed"),
        (("true", "", "[1"), "is no YAML"),
        (("true", "", "- a"), "must be a mapping"),
        (("true", "./here", ""), "raytui job submit --working-dir"),
    ],
)
def test_what_is_no_job_is_said(typed, words):
    with pytest.raises(SubmissionError, match=words):
        submission_of(*typed)


def test_the_uri_of_files_goes_into_the_runtime_env():
    found = submission_of("true", "s3://bucket/code.zip", "env_vars: {A: b}")
    assert found.runtime_env == {"env_vars": {"A": "b"}, "working_dir": "s3://bucket/code.zip"}


async def test_enter_and_l_ask_for_a_jobs_log(monkeypatch):
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "4")
        messages = posted(pilot.app, monkeypatch, OpenJobLog)
        await go(pilot, "enter")
        await until(pilot, lambda: messages)
        assert messages[0].job_id == "job-train"


# Actors


async def test_actors_name_the_node_and_why_they_wait():
    client, _ = working()
    async with opened(client, size=(160, 40)) as pilot:
        await page(pilot, "6")
        assert "i-0b80" in line_with(pilot.app, "Loader")
        assert "● alive" in line_with(pilot.app, "Loader")
        assert "gpu-a10: capacity in us-west-2a" in line_with(pilot.app, "Trainer")


async def test_the_dead_are_shown_with_why_they_died():
    client, _ = working()
    async with opened(client, size=(160, 40)) as pilot:
        await page(pilot, "6")
        assert "Worker" not in text(pilot.app)
        await go(pilot, "a")
        await until(pilot, lambda: "it was killed: out of memory" in text(pilot.app))
        assert "The actor is dead" not in text(pilot.app)
        await go(pilot, "a")
        await until(pilot, lambda: "killed" not in text(pilot.app))


async def test_a_name_with_words_behind_it_filters_the_page():
    client, _ = working()
    async with opened(client) as pilot:
        await command(pilot, "actors node=i-0b80")
        await until(pilot, lambda: pilot.app.screen.page == "actors")
        await until(pilot, lambda: len(table(pilot.app).rows) == 1)
        assert table(pilot.app).rows[0].class_name == "Loader"


async def test_an_actors_log_is_that_of_its_process(monkeypatch):
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "6")
        messages = posted(pilot.app, monkeypatch, OpenLog)
        await go(pilot, "l")
        await until(pilot, lambda: messages)
        assert (messages[0].node_id, messages[0].name) == (works.ray_id("i-0b80"), "-4711.out")


async def test_what_is_on_no_node_has_neither_log_nor_shell():
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "6")
        table(pilot.app).select("b" * 32)
        await go(pilot, "l", "s")
        assert "no logs yet" in toasts(pilot.app)[0]
        assert "which machine it is on is not known" in toasts(pilot.app)[1]


# Tasks


async def test_tasks_are_counted_by_name_and_opened_one_by_one():
    client, _ = working()
    async with opened(client, size=(160, 40)) as pilot:
        await page(pilot, "7")
        line = line_with(pilot.app, "preprocess")
        assert line.split("normal")[1].split()[:5] == ["4", "18", "1", "200", "223"]
        assert "18 ■ waits for room" in line
        await go(pilot, "enter")
        await until(pilot, lambda: pilot.app.screen.page == "taskrows")
        await until(pilot, lambda: "i-0a31" in text(pilot.app))
        assert "WORKER_DIED: the worker was [red]killed" in text(pilot.app)
        assert "on 2 × cpu-small starting" in line_with(pilot.app, "222222")
        await go(pilot, "escape")
        assert pilot.app.screen.page == "tasks"


async def test_escape_clears_the_filter_of_an_opened_list_before_it_goes_back():
    client, _ = working()
    async with opened(client) as pilot:
        await page(pilot, "7")
        await go(pilot, "enter")
        await until(pilot, lambda: table(pilot.app).rows)
        await command(pilot, "filter state=failed")
        assert len(table(pilot.app).rows) == 1
        await go(pilot, "escape")
        assert pilot.app.screen.page == "taskrows"
        await go(pilot, "escape")
        assert pilot.app.screen.page == "tasks"


# Placement groups


async def test_groups_tell_where_bundles_sit_and_why_they_wait():
    client, _ = working()
    async with opened(client, size=(200, 40)) as pilot:
        await page(pilot, "8")
        placed = line_with(pilot.app, "serve")
        assert "● placed" in placed
        assert "2 × {CPU: 1}" in placed
        assert "i-0b80, i-0a31" in placed
        waiting = line_with(pilot.app, "train-7")
        assert "0/5" in waiting
        assert "needs 5 nodes at once" in waiting
        await go(pilot, "enter")
        assert "1  {CPU: 1}  on i-0a31" in text(pilot.app)


# Objects


async def test_objects_are_summed_by_node_and_counted_once():
    client, _ = working()
    async with opened(client, size=(160, 40)) as pilot:
        await page(pilot, "O")
        line = line_with(pilot.app, "i-0c12")
        assert "3 GiB" in line
        assert "worker 77 (3 GiB), worker 78 (3 GiB)" in line
        assert "ON 2 NODES" in text(pilot.app)
        assert "! 1 node did not answer" in text(pilot.app)
        await go(pilot, "enter")
        await until(pilot, lambda: "train.py:12 load" in text(pilot.app))
        assert "pinned in memory" in text(pilot.app)
        assert "driver 5" not in text(pilot.app)


# All of them


@pytest.mark.parametrize("key", ["4", "6", "7", "8", "O"])
@pytest.mark.parametrize("size", [(80, 24), (40, 10)], ids="{0[0]}x{0[1]}".format)
async def test_the_selected_row_is_in_sight_on_a_small_terminal(key, size):
    client, _ = working()
    async with opened(client, size=size) as pilot:
        await page(pilot, key)
        await until(pilot, lambda: "▸" in text(pilot.app))
        await go(pilot, "d")
        assert "esc back" in text(pilot.app) or size[0] < 80
        await go(pilot, "escape")
        assert pilot.app.screen.page == pilot.app.current_mode


@pytest.mark.parametrize("key", ["4", "6", "7", "8", "O"])
async def test_what_cannot_be_asked_is_said_and_what_was_shown_stays(key):
    client, work = working()
    async with opened(client) as pilot:
        await page(pilot, key)
        rows = len(table(pilot.app).rows)
        work.refusal = "the dashboard does not answer"
        pilot.app.screen.ask_soon()
        await until(pilot, lambda: "! the dashboard does not answer" in text(pilot.app))
        assert len(table(pilot.app).rows) == rows


async def test_hostile_words_of_a_job_are_shown_as_they_are():
    client, work = working()
    evil = "[bold]x\x1b[31m\x00\u202e" + "y" * 10_000
    work.job_rows = [replace(works.JOBS[0], entrypoint=evil, message=evil, metadata={"a": evil})]
    async with opened(client) as pilot:
        await page(pilot, "4")
        assert "[bold]x" in text(pilot.app)
        for key in ("d", "y"):
            await go(pilot, key)
            assert "\x1b" not in text(pilot.app)
            await go(pilot, "escape")


@pytest.mark.parametrize(
    "kind",
    [
        JobsScreen,
        ActorsScreen,
        TasksScreen,
        TaskRowsScreen,
        GroupsScreen,
        ObjectsScreen,
        ObjectRowsScreen,
    ],
    ids=lambda kind: kind.page,
)
def test_a_page_of_work_does_all_its_verbs(kind):
    for verb in verbs_on(kind.page):
        if verb.id not in PAGE_TITLES:
            assert callable(getattr(kind, f"verb_{verb.id.replace('-', '_')}", None)), verb.id
