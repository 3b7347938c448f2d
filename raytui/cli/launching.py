"""A launch from this machine, as the Launch screen starts it and looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from raytui.backends.last_lines import last_lines
from raytui.client.base import ClientError, ClusterClient
from raytui.model.command import RetrySetup
from raytui.model.step import LaunchError, Step, StepSink

_LINES = 1000


class LaunchHere:
    """A LaunchWork around `bring_up`, which works in a thread of its own.

    The head is set up from here, with its output in files. Workers are set up by the daemon, which
    is asked for theirs through a client that `look` makes.
    """

    def __init__(
        self, bring_up: Callable[[StepSink], object], look: Callable[[], ClusterClient]
    ) -> None:
        self._bring_up = bring_up
        self._look = look
        self._client: ClusterClient | None = None

    async def run(self, sink: StepSink) -> ClusterClient:
        """See LaunchWork. When it is cancelled, the launch ends with the next step it tells."""
        try:
            await _in_thread(self._bring_up, sink)
        except BaseException:
            if self._client is not None:
                await self._client.close()
                self._client = None
            raise
        return self._looking()

    async def output(self, step: Step) -> Sequence[str]:
        """See LaunchWork."""
        if step.output and Path(step.output).exists():
            return await asyncio.to_thread(last_lines, Path(step.output), _LINES)
        if step.node in ("", "head"):
            return step.detail.splitlines()
        return await self._looking().step_output(step.node, step.name, _LINES)

    async def retry(self, node: str) -> str:
        """See LaunchWork."""
        if node == "head":
            raise ClientError("the head is tried again with the launch, when that has ended")
        ack = await self._looking().send(RetrySetup((node,)))
        if not ack.ok:
            raise ClientError(ack.text)
        return ack.text

    def _looking(self) -> ClusterClient:
        if self._client is None:
            self._client = self._look()
        return self._client


async def _in_thread(bring_up: Callable[[StepSink], object], sink: StepSink) -> None:
    """Run it beside this loop, which need not wait for its end when it is left alone.

    An executor's thread would be waited for at exit, and a launch may take half an hour.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    left = threading.Event()

    def told(step: Step) -> None:
        if left.is_set():
            raise LaunchError("nobody waits for this launch any more")
        sink(step)

    def end(error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def work() -> None:
        error: BaseException | None = None
        try:
            bring_up(told)
        except BaseException as failure:
            error = failure
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(end, error)

    threading.Thread(target=work, name="launch", daemon=True).start()
    try:
        await ended
    finally:
        left.set()
