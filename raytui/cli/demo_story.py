"""The demo without a terminal: what happens, line by line, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable

import click

from raytui.autoscaler.explain import explain
from raytui.cli.demo import start_work
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed
from raytui.cli.open import client_for
from raytui.cli.steps import StepPrinter
from raytui.client.base import LinkState
from raytui.config.launched import recall
from raytui.config.locations import ClusterPaths
from raytui.launcher.down import down
from raytui.launcher.up import up
from raytui.model.plan import Outcome
from raytui.model.snapshot import Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.text import clock_text
from raytui.ray.base import RayError
from raytui.ray.jobs import FINISHED, status

_STORY_S = 420.0
_ASK_JOB_EVERY_S = 2.0


def tell_story(spec: ClusterSpec, paths: ClusterPaths) -> int:
    """Launch, work, tell, take down. A cluster that ran before is left as it was found."""
    ran_before = recall(paths) is not None
    with StepPrinter(sys.stderr) as printer:
        try:
            up(spec, paths, printer)
            job = start_work(spec, paths, printer)
            asyncio.run(_tell(spec, paths, job))
        finally:
            if not ran_before and recall(paths) is not None:
                down(spec, paths, printer)
    return ExitCode.OK


async def _tell(spec: ClusterSpec, paths: ClusterPaths, job: str) -> None:
    """Print what happens until the job is done and the nodes that it brought have left."""
    client = client_for(spec, paths, read_only=True)
    story = _Story()
    try:
        async with asyncio.timeout(_STORY_S):
            async for news in client.updates():
                if isinstance(news, LinkState):
                    continue
                for line in story.lines(news):
                    click.echo(line)
                if await story.over(news, job):
                    return
    except TimeoutError:
        raise CommandFailed(
            ExitCode.TIMEOUT, f"the demo was not over after {_STORY_S:g} s"
        ) from None
    finally:
        await client.close()


class _Story:
    """What was told already, and whether the end is reached."""

    def __init__(self) -> None:
        self._event = 0
        self._waiting: frozenset[tuple[str, str]] = frozenset()
        self._job_done = False
        self._ask_job_at = 0.0

    def lines(self, snapshot: Snapshot) -> Iterable[str]:
        """What is new since the last call."""
        for event in reversed(snapshot.events):
            if event.event_id > self._event:
                self._event = event.event_id
                yield f"{clock_text(event.at)}  {event.text}"
        waiting = frozenset(_kind(outcome) for outcome in snapshot.outcomes)
        for outcome in snapshot.outcomes:
            if _kind(outcome) not in self._waiting:
                words = explain(outcome.reason, snapshot.taken_at)
                yield f"{clock_text(snapshot.taken_at)}  waiting: {_what(outcome)}: {words}"
        self._waiting = waiting

    async def over(self, snapshot: Snapshot, job: str) -> bool:
        """Whether the job has ended and no worker above the floors is left."""
        if not self._job_done and time.monotonic() >= self._ask_job_at:
            self._ask_job_at = time.monotonic() + _ASK_JOB_EVERY_S
            ended = await asyncio.to_thread(_ended, snapshot.info.dashboard_url, job)
            if ended and ended != "SUCCEEDED":
                raise CommandFailed(ExitCode.FAILED, f"the sample job ended as {ended}")
            self._job_done = bool(ended)
        floors = sum(row.min for row in snapshot.types if not row.is_head)
        workers = sum(1 for row in snapshot.rows if not row.member.is_head)
        return self._job_done and workers <= floors


def _ended(dashboard_url: str, job: str) -> str:
    """How the job ended; empty while it runs, or while the dashboard does not answer."""
    try:
        now = status(dashboard_url, job)
    except RayError:
        return ""
    return now if now in FINISHED else ""


def _kind(outcome: Outcome) -> tuple[str, str]:
    return outcome.label or outcome.resources.text(), outcome.reason.why.value


def _what(outcome: Outcome) -> str:
    return f"{outcome.count} × {outcome.label or outcome.resources.text()}"
