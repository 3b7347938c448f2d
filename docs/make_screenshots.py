"""Make docs/screenshots/: every page of a seeded simulation whose clock stands, always the same.

`make_screenshots.py [FOLDER [NAME…]]` writes them elsewhere, or only some. $PYTHONHASHSEED has to
be 0, as `make screenshots` sets it.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

os.environ.update(TZ="UTC", TEXTUAL_ANIMATIONS="none", COLORTERM="truecolor")
os.environ.pop("NO_COLOR", None)
time.tzset()

import msgspec  # noqa: E402 - the environment comes first
from textual.pilot import Pilot  # noqa: E402

from raytui.app import RaytuiApp  # noqa: E402
from raytui.autoscaler.simulation.showcase import showcase  # noqa: E402
from raytui.client.recorded import RecordedClient  # noqa: E402
from raytui.client.simulated_work import SimulatedWork  # noqa: E402
from raytui.model.command import Command, RequestResources, SetFloor, Terminate  # noqa: E402
from raytui.model.resources import Resources  # noqa: E402
from raytui.model.snapshot import Snapshot  # noqa: E402
from raytui.screens.pages import PAGES  # noqa: E402

SIZE = (118, 32)
STORY_S = 150
BEGIN = 1_767_276_000.0
FOLDER = Path(__file__).with_name("screenshots")

_MORE: Mapping[str, Sequence[str]] = {
    "node": ("2", "down", "down", "enter"),
    "decision": ("3", "down", "down", "enter"),
    "terminate": ("2", "down", "down", "space", "down", "space", "t"),
    "help": ("2", "question_mark"),
}
"""Beside the pages: what to press for others."""

_STANDS_S = 0.4
_DEADLINE_S = 20.0


def story() -> Snapshot:
    """A cluster of some twenty nodes after a few busy minutes, with people at work on it."""
    now = [BEGIN]
    engine = showcase(20, seed=5, clock=lambda: now[0])
    orders: dict[int, Callable[[], Command]] = {
        110: lambda: RequestResources(((Resources.of(TPU=1), 2),)),
        STORY_S - 12: lambda: Terminate((worker(snapshot, "cpu-large"),)),
        STORY_S - 7: lambda: SetFloor("cpu-small", 13),
    }
    for second in range(STORY_S):
        now[0] += 1
        snapshot = engine.tick()
        if second in orders:
            engine.command(orders[second](), "ana@laptop")
    engine.close()
    return _as_fast_as_any(snapshot)


def _as_fast_as_any(snapshot: Snapshot) -> Snapshot:
    """Without what depends on the machine."""
    replace = msgspec.structs.replace
    decisions = tuple(replace(decision, solved_ms=1.0) for decision in snapshot.decisions)
    return replace(snapshot, tick_ms=1.0, plan_ms=1.0, decisions=decisions)


def worker(snapshot: Snapshot, node_type: str) -> str:
    """The first worker of a type."""
    return next(row.id for row in snapshot.rows if row.member.node_type == node_type)


def pictures() -> dict[str, Sequence[str]]:
    """What to press for each picture."""
    return {page.name: (page.key,) for page in PAGES} | dict(_MORE)


async def draw(snapshot: Snapshot, keys: Sequence[str]) -> str:
    """Open the app on the story's end, press keys, and return what it shows when it stands."""
    client = RecordedClient([snapshot], pace_s=0)
    client.work = SimulatedWork(lambda: snapshot, lambda: False)
    app = RaytuiApp(client, clock=lambda: 0.0)
    async with app.run_test(size=SIZE) as pilot:
        while app.session is None or app.session.snapshot is None:
            await pilot.pause(0.05)
        for key in keys:
            await pilot.press(key)
            await _stand(pilot)
        return re.sub(r"terminal-\d+", "terminal-raytui", app.export_screenshot(title="raytui"))


async def _stand(pilot: Pilot[object]) -> None:
    """Wait until nothing changes any more: pages ask for what they show."""
    shown, end = "", time.monotonic() + _DEADLINE_S
    while (now := pilot.app.export_screenshot()) != shown or "asking …" in now:
        if time.monotonic() > end:
            raise TimeoutError("the screen never stands still")
        shown = now
        await pilot.pause(_STANDS_S)


async def draw_all(folder: Path = FOLDER, *names: str) -> None:
    """Write pictures: all, or those named."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshot = story()
    for name, keys in pictures().items():
        if names and name not in names:
            continue
        (folder / f"{name}.svg").write_text(await draw(snapshot, keys), encoding="utf-8")
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    asyncio.run(draw_all(*map(Path, sys.argv[1:2]), *sys.argv[2:]))
