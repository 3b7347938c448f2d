"""Make docs/screenshot.svg: the Cluster screen of a seeded simulation, the same each time."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

os.environ.update(TZ="UTC", TEXTUAL_ANIMATIONS="none", COLORTERM="truecolor")
time.tzset()

import msgspec  # noqa: E402 - the environment comes first

from raytui.app import RaytuiApp  # noqa: E402 - the environment comes first
from raytui.autoscaler.simulation.showcase import showcase  # noqa: E402
from raytui.client.recorded import RecordedClient  # noqa: E402
from raytui.model.command import RequestResources, SetFloor, Terminate  # noqa: E402
from raytui.model.resources import Resources  # noqa: E402
from raytui.model.snapshot import Snapshot  # noqa: E402

SIZE = (118, 32)
STORY_S = 150
OUT = Path(__file__).with_name("screenshot.svg")


def story() -> Snapshot:
    """A cluster of some twenty nodes after a few busy minutes, with people at work on it."""
    now = [1_767_276_000.0]
    engine = showcase(20, seed=5, clock=lambda: now[0])
    orders = {
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
    return msgspec.structs.replace(snapshot, tick_ms=1.0)  # else it depends on the machine


def worker(snapshot: Snapshot, node_type: str) -> str:
    """The first worker of a type."""
    return next(row.id for row in snapshot.rows if row.member.node_type == node_type)


async def draw() -> None:
    """Open the app on the story's end, wait until it stands, and save what it shows."""
    app = RaytuiApp(RecordedClient([story()], pace_s=0), clock=lambda: 0.0)
    async with app.run_test(size=SIZE) as pilot:
        while app.session is None or app.session.snapshot is None:
            await pilot.pause(0.05)
        await pilot.press("down")
        await pilot.pause()
        picture = app.export_screenshot(title="raytui")
        OUT.write_text(re.sub(r"terminal-\d+", "terminal-raytui", picture))


if __name__ == "__main__":
    asyncio.run(draw())
    print(OUT)
