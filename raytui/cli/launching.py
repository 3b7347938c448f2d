"""A launch from this machine, as the Launch screen starts it and looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from raytui.client.base import ClientError, ClusterClient
from raytui.model.step import Step, StepSink
from raytui.provisioning.output_file import last_lines

_LINES = 1000


class LaunchHere:
    """A LaunchWork around a function that brings a cluster up: all output is in files here."""

    def __init__(self, bring_up: Callable[[StepSink], Awaitable[ClusterClient]]) -> None:
        self._bring_up = bring_up

    async def run(self, sink: StepSink) -> ClusterClient:
        """See LaunchWork."""
        return await self._bring_up(sink)

    async def output(self, step: Step) -> Sequence[str]:
        """See LaunchWork."""
        if not step.output:
            return step.detail.splitlines()
        return await asyncio.to_thread(last_lines, Path(step.output), _LINES)

    async def retry(self, node: str) -> str:
        """See LaunchWork; the head alone is set up from here, and the launch ends when it fails."""
        raise ClientError(f"{node}: it is tried again with the launch, when that has ended")
