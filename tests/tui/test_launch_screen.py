"""The Launch screen: it asks, shows each step, and a failure can be read and tried again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager

from raytui.app import RaytuiApp
from raytui.client.base import ClusterClient
from raytui.model.step import LaunchError, Step, StepSink, StepStatus
from raytui.screens.choose import ChooseScreen
from raytui.screens.cluster import ClusterScreen
from raytui.screens.launch import LaunchScreen, LaunchWork
from tests.tui.driving import go, recorded, text, until

TITLE = "laptop · local\nhead, up to 6 cpu-small"


@asynccontextmanager
async def launching(launch: LaunchWork):
    app = RaytuiApp(None, launch=launch, launch_title=TITLE)
    async with app.run_test(size=(110, 30), notifications=True) as pilot:
        await until(pilot, lambda: "This will be launched" in text(app))
        yield pilot


def step(name: str, status: StepStatus, detail: str = "", **times: float) -> Step:
    return Step("head", name, status, detail=detail, **times)


class Launcher:
    """Fails as often as it is told to; goes on only when let."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls = 0
        self.cancelled = False
        self.go_on = asyncio.Event()

    async def run(self, sink: StepSink) -> ClusterClient:
        self.calls += 1
        began = time.time()
        # The real launcher reports from threads.
        thread = threading.Thread(
            target=sink,
            args=(step("start the head", StepStatus.RUNNING, "[/x] ok", started_at=began),),
        )
        thread.start()
        thread.join()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        if self.calls <= self.failures:
            sink(step("start the head", StepStatus.FAILED, "exit 1", started_at=began,
                      ended_at=began + 2.0))  # fmt: skip
            raise LaunchError("Ray did not start: look below", "[raylet] line 1\nline 2")
        sink(step("start the head", StepStatus.DONE, started_at=began, ended_at=began + 9.2))
        return recorded()

    async def output(self, step: Step) -> Sequence[str]:
        return step.detail.splitlines()

    async def retry(self, node: str) -> str:
        return f"trying {node} again"


async def test_nothing_is_launched_before_enter():
    launcher = Launcher()
    async with launching(launcher) as pilot:
        assert "laptop · local" in text(pilot.app)
        assert "head, up to 6 cpu-small" in text(pilot.app)
        await go(pilot, "q")
    assert launcher.calls == 0
    assert pilot.app.return_value == "quit"


async def test_each_step_is_shown_and_success_leads_to_the_cluster():
    launcher = Launcher()
    async with launching(launcher) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "[/x] ok" in text(pilot.app))
        assert "◐  head  start the head" in text(pilot.app)
        launcher.go_on.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, ClusterScreen))
        await until(pilot, lambda: "prod-west" in text(pilot.app))
    assert launcher.calls == 1


async def test_a_failure_is_shown_in_full_and_r_tries_again():
    launcher = Launcher(failures=1)
    launcher.go_on.set()
    async with launching(launcher) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "✕ launch failed" in text(pilot.app))
        for words in ("✕  head  start the head", "2.0s", "Ray did not start: look below",
                      "[raylet] line 1", "line 2", "r try again"):  # fmt: skip
            await until(pilot, lambda words=words: words in text(pilot.app))
        await go(pilot, "r")
        await until(pilot, lambda: isinstance(pilot.app.screen, ClusterScreen))
    assert launcher.calls == 2
    assert pilot.app.launch_error is None


async def test_leaving_after_a_failure_tells_the_caller_why():
    launcher = Launcher(failures=1)
    launcher.go_on.set()
    async with launching(launcher) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "✕ launch failed" in text(pilot.app))
        await go(pilot, "q")
    assert str(pilot.app.launch_error) == "Ray did not start: look below"


async def test_leaving_in_the_middle_asks_and_then_ends_the_launch():
    launcher = Launcher()
    async with launching(launcher) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: launcher.calls)
        await go(pilot, "q")
        assert isinstance(pilot.app.screen, ChooseScreen)
        await go(pilot, "enter")
        assert isinstance(pilot.app.screen, LaunchScreen)
        assert not launcher.cancelled
        await go(pilot, "q", "right", "enter")
        await until(pilot, lambda: launcher.cancelled)
    assert pilot.app.return_value == "quit"


async def test_a_launch_that_breaks_leaves_a_screen_to_read():
    class Broken(Launcher):
        async def run(self, sink: StepSink) -> ClusterClient:
            raise RuntimeError("boom")

    async with launching(Broken()) as pilot:
        await go(pilot, "enter")
        await until(pilot, lambda: "RuntimeError: boom" in text(pilot.app))
        assert isinstance(pilot.app.screen, LaunchScreen)
