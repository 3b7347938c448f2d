"""Page E: events newest first, filtered, opened, and the selection that stays on the newest."""

from __future__ import annotations

from msgspec.structs import replace

from raytui.model.happening import Happening
from raytui.model.snapshot import Event, Level
from raytui.screens.datascreen import DataScreen
from raytui.screens.decision import DecisionScreen
from raytui.screens.reading import ReadingScreen
from tests.tui import sample
from tests.tui.driving import command, go, opened, recorded, table, text, until
from tests.tui.works import working


async def events(pilot) -> None:
    await go(pilot, "E")
    await until(pilot, lambda: pilot.app.screen.page == "events" and table(pilot.app).rows)


def ids(app) -> list[int]:
    return [event.event_id for event in table(app).rows]


async def test_events_are_newest_first_with_glyph_node_and_who():
    async with opened() as pilot:
        await events(pilot)
        assert ids(pilot.app) == [43, 42, 41, 40, 39]
        lines = text(pilot.app).splitlines()
        lost = next(line for line in lines if "was lost" in line)
        assert "!" in lost
        assert lost.count("i-0f99") == 2
        assert "ana" in next(line for line in lines if "floor of gpu-a10" in line)


async def test_events_are_found_by_level_node_and_text():
    async with opened() as pilot:
        for words, found in (("level=error", [41]), ("node=i-0f99", [40]), ("text=floor", [39])):
            await command(pilot, f"events {words}")
            await until(pilot, lambda found=found: ids(pilot.app) == found)


async def test_enter_opens_the_detail_or_the_decision():
    shown = sample.snapshot()
    bare = replace(shown.events[0], detail="")
    client = recorded(replace(shown, events=(bare, *shown.events[1:])))
    async with opened(client) as pilot:
        await events(pilot)
        await go(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, DecisionScreen))
        await go(pilot, "escape")
        await until(pilot, lambda: pilot.app.screen.page == "events")
        await go(pilot, "down", "down", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ReadingScreen))
        assert "sufficient g5.2xlarge capacity" in text(pilot.app)


async def test_an_event_can_be_read_as_data():
    async with opened() as pilot:
        await events(pilot)
        await go(pilot, "y")
        assert isinstance(pilot.app.screen, DataScreen)


async def test_the_newest_stays_selected_until_the_selection_is_moved():
    async with opened() as pilot:
        await events(pilot)
        app = pilot.app
        new = Event(44, sample.NOW, Level.INFO, "one more")
        newest = replace(sample.snapshot(), seq=1843)
        newest = replace(newest, events=(new, *newest.events))
        app.screen.show_snapshot(newest)
        app.session.take(newest)
        app.screen.refresh_view()
        assert table(app).selected.event_id == 44
        await go(pilot, "down")
        last = replace(newest, seq=1844, events=(replace(new, event_id=45), *newest.events))
        app.session.take(last)
        app.screen.refresh_view()
        assert table(app).rows[0].event_id == 45
        assert table(app).selected.event_id == 43


async def test_what_the_provider_tells_stands_among_them():
    class Telling(type(working()[0])):
        async def happenings(self, instance_id=""):
            return [Happening(sample.NOW - 40, "FailedScheduling", "no room")]

    client = Telling([sample.snapshot()], pace_s=0)
    async with opened(client) as pilot:
        await events(pilot)
        await until(pilot, lambda: len(table(pilot.app).rows) == 6)
        assert "no room" in table(pilot.app).rows[3].text
