"""Logs: any file of any node and the output of jobs, followed, searched, filtered, saved."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from textual.widgets import Input

from raytui.client.base import ClientError
from raytui.client.recorded import RecordedClient
from raytui.client.work import NoWork
from raytui.model.work import Job, Listing, LogFile
from raytui.screens.logs import LogsScreen
from raytui.screens.logscreen import LogScreen
from raytui.screens.logsource import unseen
from raytui.screens.messages import OpenJobLog, OpenLog
from raytui.widgets import logview
from raytui.widgets.logview import LogView
from tests.tui import sample
from tests.tui.driving import go, opened, text, toasts, until

HEAD = next(r.member.node.node_id for r in sample.rows() if r.member.is_head)


class WrittenLogs(NoWork):
    """Logs as a test writes them, a line or an end at a time."""

    def __init__(self) -> None:
        super().__init__("not written")
        self.coming: asyncio.Queue[Sequence[str] | ClientError | None] = asyncio.Queue()
        self.opened: list[tuple[str, str]] = []
        self.listing: list[str] = ["raylet.out", "worker-abc-01000000-4711.out"]
        self.status = "RUNNING"

    async def log_files(self, node_id: str) -> Listing[LogFile]:
        rows = tuple(LogFile(node_id, name, "raylet") for name in self.listing)
        return Listing(rows, len(rows))

    async def log(
        self, node_id: str, name: str, *, tail: int = 1000, follow: bool = True
    ) -> AsyncIterator[Sequence[str]]:
        self.opened.append((node_id, name))
        while (block := await self.coming.get()) is not None:
            if isinstance(block, ClientError):
                raise block
            yield block

    def job_log(self, job_id: str) -> AsyncIterator[Sequence[str]]:
        return self.log("", job_id)

    async def jobs(self) -> Listing[Job]:
        return Listing((Job("j1", self.status),), 1)


@pytest.fixture
def logs() -> WrittenLogs:
    return WrittenLogs()


def client_with(logs: WrittenLogs) -> RecordedClient:
    return RecordedClient([sample.snapshot()], pace_s=0, work=logs)


def view(pilot) -> LogView:
    return pilot.app.screen.query_one(LogView)


async def followed(pilot, logs: WrittenLogs, lines: Sequence[str]) -> LogView:
    """A log that is open, with these lines in it."""
    pilot.app.screen.post_message(OpenLog(HEAD, "raylet.out", "raylet.out on the head"))
    await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen))
    await write(pilot, logs, lines)
    return view(pilot)


async def write(pilot, logs: WrittenLogs, lines: Sequence[str]) -> None:
    before = len(view(pilot).lines) + view(pilot).dropped
    logs.coming.put_nowait(lines)
    await until(pilot, lambda: len(view(pilot).lines) + view(pilot).dropped >= before + len(lines))


class TestFiles:
    async def test_the_heads_files_are_listed_and_one_is_followed(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            await go(pilot, "5")
            await until(pilot, lambda: "raylet.out" in text(pilot.app))
            await go(pilot, "enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen))
            await write(pilot, logs, ["it says hello"])
            assert "it says hello" in text(pilot.app)
            assert logs.opened == [(HEAD, "raylet.out")]
            await go(pilot, "escape")
            assert isinstance(pilot.app.screen, LogsScreen)

    async def test_another_node_is_chosen(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            await go(pilot, "5", "n")
            await until(pilot, lambda: "Logs of node" in text(pilot.app))
            pilot.app.screen.query_one(Input).value = "i-0a31"
            await go(pilot, "enter")
            await until(pilot, lambda: "of i-0a31" in text(pilot.app))

    async def test_the_log_of_a_process_is_found_by_the_end_of_its_name(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            pilot.app.screen.post_message(OpenLog(HEAD, "-4711.out", "actor"))
            await until(pilot, lambda: logs.opened)
        assert logs.opened == [(HEAD, "worker-abc-01000000-4711.out")]

    async def test_a_node_without_a_file_named_leads_to_all_its_files(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            pilot.app.screen.post_message(OpenLog(HEAD))
            await until(pilot, lambda: isinstance(pilot.app.screen, LogsScreen))

    async def test_a_file_that_is_not_there_is_said_and_looked_for_again(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            pilot.app.screen.post_message(OpenLog(HEAD, "nothing.out", "nothing"))
            await until(pilot, lambda: "there is no log file nothing.out" in text(pilot.app))
            logs.listing.append("nothing.out")
            await until(pilot, lambda: logs.opened)


class TestFollowing:
    async def test_the_end_is_followed_until_somebody_scrolls_up(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, [f"line {i}" for i in range(200)])
            await until(pilot, lambda: "line 199" in text(pilot.app))
            await go(pilot, "pageup")
            assert not shown.follows
            top = shown.scroll_offset.y
            await write(pilot, logs, ["one more"])
            await pilot.resize_terminal(100, 30)
            await pilot.pause()
            assert shown.scroll_offset.y == top
            assert not shown.follows
            await go(pilot, "end")
            await until(pilot, lambda: "one more" in text(pilot.app))
            await write(pilot, logs, ["and another"])
            await until(pilot, lambda: "and another" in text(pilot.app))

    async def test_following_that_was_turned_off_stays_off(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, [f"line {i}" for i in range(200)])
            await go(pilot, "f")
            top = shown.scroll_offset.y
            await write(pilot, logs, ["x"] * 50)
            assert shown.scroll_offset.y == top
            assert "not following" in text(pilot.app)

    async def test_what_was_moved_sideways_stays_there_while_lines_come(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, ["a" * 300 + "END", "short"])
            await go(pilot, "shift+right", "right")
            x = shown.scroll_offset.x
            assert x > 50
            await write(pilot, logs, ["next"])
            assert shown.scroll_offset.x == x
            await go(pilot, *["shift+right"] * 6)
            assert "END" in text(pilot.app)

    async def test_wrapping_shows_the_whole_of_long_lines(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, ["b" * 250 + "END"])
            assert "END" not in text(pilot.app)
            await go(pilot, "w")
            assert "END" in text(pilot.app)
            assert shown.scroll_offset.x == 0

    async def test_a_log_that_breaks_off_goes_on_without_losing_or_doubling_lines(
        self, logs
    ) -> None:
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, ["one", "two", "three"])
            logs.coming.put_nowait(ClientError("the way broke"))
            await until(pilot, lambda: "the way broke" in text(pilot.app))
            logs.coming.put_nowait(["two", "three", "four"])
            await until(pilot, lambda: len(logs.opened) == 2 and len(shown.lines) == 4)
            assert list(shown.lines) == ["one", "two", "three", "four"]

    async def test_the_output_of_a_job_ends_with_the_job(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            pilot.app.screen.post_message(OpenJobLog("j1"))
            await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen))
            await write(pilot, logs, ["done"])
            logs.status = "SUCCEEDED"
            logs.coming.put_nowait(None)
            await until(pilot, lambda: "ended" in text(pilot.app))
            assert logs.opened == [("", "j1")]


class TestLooking:
    async def find(self, pilot, key: str, words: str) -> None:
        await go(pilot, key)
        pilot.app.screen.query_one("#typed", Input).value = words
        await go(pilot, "enter")

    async def test_what_is_looked_for_is_gone_to_one_after_the_other(self, logs) -> None:
        lines = [f"line {i}" + (" needle" if i in (20, 150) else "") for i in range(200)]
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, lines)
            await go(pilot, "home")
            await self.find(pilot, "slash", "NEEDLE")
            assert "line 20 needle" in text(pilot.app)
            await go(pilot, "n")
            assert "line 150 needle" in text(pilot.app)
            await go(pilot, "N")
            assert "line 20 needle" in text(pilot.app)
            assert not shown.follows
            await self.find(pilot, "slash", "nowhere")
            assert any("not found: nowhere" in words for words in toasts(pilot.app))
            await self.find(pilot, "slash", "(")
            assert any("no expression" in words for words in toasts(pilot.app))

    async def test_only_lines_that_match_are_shown_and_counted(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, ["ok 1", "ERROR a", "ok 2", "ERROR b"])
            await self.find(pilot, "ampersand", "error")
            assert shown.shown == ["ERROR a", "ERROR b"]
            assert "2 of 4 lines match" in text(pilot.app)
            await write(pilot, logs, ["error c", "ok 3"])
            assert shown.shown[-1] == "error c"
            await self.find(pilot, "ampersand", "!error")
            assert shown.shown == ["ok 1", "ok 2", "ok 3"]
            await go(pilot, "escape")
            assert len(shown.shown) == 6
            assert isinstance(pilot.app.screen, LogScreen)

    async def test_moments_at_the_beginning_can_be_left_out(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            lines = ["2026-11-24 03:30:28,021 INFO here", "[2026-11-24 03:30:28] there", "plain"]
            shown = await followed(pilot, logs, lines)
            await go(pilot, "t")
            assert shown.shown == ["INFO here", "there", "plain"]
            await go(pilot, "t")
            assert shown.shown == lines

    async def test_what_is_shown_is_saved_for_its_owner_alone_and_over_nothing(
        self, logs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        async with opened(client_with(logs)) as pilot:
            await followed(pilot, logs, ["one", "two"])
            await go(pilot, "S", "S")
        files = sorted(tmp_path.glob("raytui-raylet.out-on-the-head-*.log"))
        assert len(files) == 2
        assert {file.read_text() for file in files} == {"one\ntwo\n"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    async def test_what_is_shown_is_copied(self, logs) -> None:
        async with opened(client_with(logs)) as pilot:
            await followed(pilot, logs, ["one", "two"])
            await go(pilot, "c")
            assert pilot.app.clipboard == "one\ntwo"


class TestMuch:
    async def test_the_oldest_lines_go_and_are_counted(self, logs, monkeypatch) -> None:
        monkeypatch.setattr(logview, "MOST_LINES", 100)
        monkeypatch.setattr(logview, "_GO_AT_ONCE", 10)
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, [f"line {i}" for i in range(90)])
            await go(pilot, "f", "up", "up")
            first = text(pilot.app).splitlines()[3]
            await write(pilot, logs, [f"line {i}" for i in range(90, 120)])
            assert (len(shown.lines), shown.dropped) == (90, 30)
            assert shown.lines[0] == "line 30"
            assert "30 older ones dropped" in text(pilot.app)
            assert text(pilot.app).splitlines()[3] == first

    async def test_hostile_lines_are_harmless(self, logs) -> None:
        lines = ["\x1b[31mred\x1b[0m", "[bold]x[/]", "\x00nul", "‮rtl", "🧑‍🚀 emoji", "z" * 50_000]
        async with opened(client_with(logs)) as pilot:
            shown = await followed(pilot, logs, lines)
            await go(pilot, "home")
            assert "[bold]x[/]" in text(pilot.app)
            assert not any(c in "".join(shown.lines) for c in "\x00\x1b\x07‮")
            await go(pilot, "w")


def test_what_was_seen_before_a_break_is_not_shown_again() -> None:
    assert list(unseen(["a", "b", "c"], ["b", "c", "d"])) == ["d"]
    assert list(unseen(["a"], ["x", "y"])) == ["x", "y"]
    assert list(unseen(["a", "b"], ["a", "b"])) == []
    assert list(unseen(["b", "b"], ["b", "b", "b"])) == ["b"]
