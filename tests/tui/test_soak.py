"""One hour of a large cluster that never rests, as fast as the screens can take it."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Iterator

import psutil
import pytest
from textual.worker import WorkerState

from raytui.client.recorded import RecordedClient
from raytui.model import wire
from raytui.model.reason import Why, because
from raytui.model.snapshot import Event, Level, Row, Snapshot, difference
from raytui.screens.pages import PAGES
from tests.tui import sample
from tests.tui.driving import go, opened, table, text, until
from tests.tui.works import WrittenWork

_NODES = 2_000
_SECONDS = 3_600
_VISIT_S = 30
"""How long each page is looked at: within five minutes all have been, again and again."""

_WARM_S = 1_200
_EVENTS_SHOWN = 100
_DEADLINE_S = 10.0
_ON_NODES = (
    ("full_stop",),
    ("o",),
    ("slash", *"gpu", "enter"),
    ("end",),
    ("slash", *"!gpu", "enter"),
    ("escape",),
    ("comma",),
    ("pagedown", "space"),
)
"""What is done on the node list, one thing at each visit."""


class World:
    """Nodes that come under new names, work, and go; each second brings an event."""

    def __init__(self) -> None:
        self._random = random.Random(8)
        self._rows = {row.id: row for row in sample.many(_NODES).rows}
        self._made = _NODES
        self.events: tuple[Event, ...] = ()

    def seconds(self) -> Iterator[Snapshot]:
        """The cluster second by second."""
        for second in range(1, _SECONDS + 1):
            for name in self._random.sample(sorted(self._rows), 3):
                del self._rows[name]
            for _ in range(3):
                self._made += 1
                self._work_on(f"i-{self._made:05d}", second)
            for name in self._random.sample(list(self._rows), 60):
                self._work_on(name, second)
            event = Event(second, sample.NOW + second, Level.INFO, f"event {second} of the hour")
            self.events = (event, *self.events)[:_EVENTS_SHOWN]
            yield sample.snapshot(
                second,
                rows=tuple(self._rows.values()),
                events=self.events,
                taken_at=sample.NOW + second,
            )

    def _work_on(self, name: str, second: int) -> None:
        kind = ("cpu-small", "cpu-large", "gpu-a10")[second % 3]
        node = sample.member(name, kind, used=self._random.randrange(5) / 4, age_s=-second)
        self._rows[name] = Row(node, because(Why.BUSY, activity=f"{second} tasks"))


class Daemon:
    """Pictures as they arrive: the first whole, then what has changed, over the wire."""

    def __init__(self) -> None:
        self._newest = wire.Newest()
        self._sent: Snapshot | None = None

    def brings(self, snapshot: Snapshot) -> Snapshot:
        message: wire.ServerMessage = wire.SnapshotIs(snapshot)
        if self._sent is not None:
            message = wire.DeltaIs(difference(self._sent, snapshot))
        self._sent = snapshot
        arrived = wire.read_message(wire.line_of(message).strip())
        assert isinstance(arrived, wire.SnapshotIs | wire.DeltaIs)
        taken = self._newest.take(arrived)
        assert taken == snapshot
        return taken


def _held() -> tuple[int, int]:
    """Live objects that may hold others, and bytes of the process."""
    gc.collect()
    return len(gc.get_objects()), psutil.Process().memory_info().rss


async def _taken(app, snapshot: Snapshot) -> None:
    """Wait until the session has it; nothing is ever left out."""
    deadline = time.monotonic() + _DEADLINE_S
    while app.session.snapshot is not snapshot:
        assert time.monotonic() < deadline, f"{snapshot.seq} never came"
        await asyncio.sleep(0)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_hour_of_churn_leaves_nothing_behind_and_loses_nothing() -> None:
    world, daemon = World(), Daemon()
    hour = world.seconds()
    client = RecordedClient([daemon.brings(next(hour))], pace_s=0, work=WrittenWork())
    seen: set[int] = {1}
    warm = (0, 0)
    async with opened(client, size=(160, 52)) as pilot:
        app = pilot.app
        for second, snapshot in enumerate(hour, 2):
            arrived = daemon.brings(snapshot)
            client.play(arrived)
            await _taken(app, arrived)
            seen.update(event.event_id for event in app.session.snapshot.events)
            if second % _VISIT_S == 0:
                page = PAGES[second // _VISIT_S % len(PAGES)]
                await go(pilot, page.key)
                await until(pilot, lambda name=page.name: app.screen.page == name)
                if page.name == "nodes":
                    visit = second // _VISIT_S // len(PAGES)
                    await go(pilot, *_ON_NODES[visit % len(_ON_NODES)])
            if second == _WARM_S:
                warm = _held()
        end = _held()

        assert seen == set(range(1, _SECONDS + 1))
        await go(pilot, "2")
        while table(app).filter or table(app).marks:
            await go(pilot, "escape")
        assert {row.id for row in table(app).rows} == {row.id for row in snapshot.rows}
        newest = max(snapshot.rows, key=lambda row: row.id)
        assert table(app).select(newest.id)
        await until(pilot, lambda: newest.id in text(app))
        assert newest.reason is not None
        assert str(newest.reason.args["activity"]) in text(app)
        await go(pilot, "1")
        await until(pilot, lambda: f"event {_SECONDS} of the hour" in text(app))
        assert not [w for w in app.workers if w.state is WorkerState.ERROR]
        assert not [words for words in app.messages if "cannot be shown" in words]
    assert end[0] < warm[0] * 1.05, (warm, end)
    assert end[1] < warm[1] + 20e6, (warm, end)
