"""A lost connection: the data stays, its age is shown, and it comes back by itself."""

from __future__ import annotations

from raytui.client.base import ClientError, Link, LinkState
from raytui.client.recorded import RecordedClient
from raytui.model.command import Ack
from raytui.model.state import SourceHealth
from raytui.screens.reading import ReadingScreen
from tests.tui import sample
from tests.tui.driving import Clock, go, opened, recorded, text, toasts, until


async def test_old_facts_stay_and_their_age_is_told_until_the_connection_is_back():
    client, clock = recorded(), Clock()
    async with opened(client, clock=clock) as pilot:
        clock.at += 42
        client.play(LinkState(Link.LOST, attempt=5, error="ssh: connection reset"))
        await until(pilot, lambda: "reconnecting (try 5)" in text(pilot.app))
        shown = text(pilot.app)
        assert "○ last seen 0m42s ago, reconnecting (try 5)" in shown
        assert "ssh: connection reset" in shown
        assert "cpu-small" in shown
        assert "autoscaler live" not in shown
        assert pilot.app.screen.has_class("-stale")
        client.play(LinkState(Link.LIVE))
        client.play(sample.snapshot(1900))
        await until(pilot, lambda: "seq 1900" in text(pilot.app))
        assert "autoscaler live" in text(pilot.app)
        assert not pilot.app.screen.has_class("-stale")


async def test_a_cluster_that_is_down_says_what_to_do():
    client = recorded()
    async with opened(client) as pilot:
        client.play(LinkState(Link.CLOSED, error="raytui down"))
        await until(pilot, lambda: "The cluster is down (raytui down)" in text(pilot.app))
        assert "raytui up FILE" in text(pilot.app)


async def test_before_the_first_snapshot_everything_says_that_it_waits():
    from raytui.app import RaytuiApp

    app = RaytuiApp(RecordedClient([LinkState(Link.CONNECTING)], pace_s=0))
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "connecting" in text(app))
        for page in ("2", "3", "1", "p", "t", "plus"):
            await go(pilot, page)
        assert "waiting for the first picture" in text(app)


async def test_a_source_that_cannot_be_read_is_told_with_its_error():
    sources = (SourceHealth("gcs", False, sample.NOW - 12, "deadline exceeded"),)
    async with opened(recorded(sample.snapshot(sources=sources))) as pilot:
        shown = text(pilot.app)
    assert "! gcs cannot be read for 0m12s; nothing is removed meanwhile  deadline exc" in shown


class Refusing(RecordedClient):
    """A cluster that refuses, then cannot be reached."""

    answers = 0

    async def send(self, command):
        self.answers += 1
        if self.answers == 1:
            return Ack(False, "cpu-small is at its limit\nthe whole story: " + "x" * 40)
        raise ClientError("the daemon does not answer: is it running?")


async def test_refusals_and_errors_become_toasts_and_can_be_read_in_full():
    client = Refusing([sample.snapshot()], pace_s=0)
    async with opened(client) as pilot:
        await go(pilot, "p")
        await until(pilot, lambda: toasts(pilot.app))
        assert "cpu-small is at its limit … (m: in full)" in text(pilot.app)
        assert "the whole story" not in text(pilot.app)
        await go(pilot, "p")
        await until(pilot, lambda: len(toasts(pilot.app)) == 2)
        assert toasts(pilot.app)[1] == "the daemon does not answer: is it running?"
        await go(pilot, "m")
        assert isinstance(pilot.app.screen, ReadingScreen)
        assert "the whole story: xxxx" in text(pilot.app)


class Breaking(RecordedClient):
    """A client with a bug in its update loop."""

    async def updates(self):
        yield sample.snapshot()
        raise RuntimeError("boom")


async def test_an_update_loop_that_breaks_leaves_the_app_running_and_stale():
    async with opened(Breaking([sample.snapshot()], pace_s=0)) as pilot:
        await until(pilot, lambda: pilot.app.screen.has_class("-stale"))
        assert any("RuntimeError: boom" in words for words in toasts(pilot.app))
        assert "cpu-small" in text(pilot.app)
