"""The demo without a terminal: what happens, line by line, and an end that leaves nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable

import click

from raytui.autoscaler.explain import explain
from raytui.cli.demo_work import start_work
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed
from raytui.cli.steps import StepPrinter
from raytui.client.base import LinkState
from raytui.client.reached import client_for
from raytui.config.launched import recall
from raytui.config.locations import ClusterPaths
from raytui.launcher import down, up
from raytui.model.plan import Outcome
from raytui.model.snapshot import Snapshot
from raytui.model.spec import ClusterSpec
from raytui.model.text import clock_text
from raytui.ray.base import RayError
from raytui.ray.jobs import FINISHED, logs, status

_STORY_S = 420.0
_ASK_JOB_EVERY_S = 2.0


def tell_story(spec: ClusterSpec, paths: ClusterPaths) -> int:
    """Launch, work, tell, take down. A cluster that ran before is left as it was found."""
    began = time.time()
    ran_before = recall(paths) is not None
    with StepPrinter(sys.stderr) as printer:
        try:
            up(spec, printer)
            job = start_work(spec, paths, printer)
            asyncio.run(_tell(spec, paths, job, began))
        finally:
            if not ran_before and recall(paths) is not None:
                down(spec, printer)
    return ExitCode.OK


async def _tell(spec: ClusterSpec, paths: ClusterPaths, job: str, began: float) -> None:
    """Print what happens until the job is done and the nodes that it brought have left."""
    client = client_for(spec, paths, read_only=True)
    story = _Story(began)
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

    def __init__(self, began: float) -> None:
        self._began = began
        self._event = 0
        self._waiting: frozenset[tuple[str, str]] = frozenset()
        self._job_done = False
        self._ask_job_at = 0.0

    def lines(self, snapshot: Snapshot) -> Iterable[str]:
        """What is new since the last call."""
        for event in reversed(snapshot.events):
            if event.event_id > self._event:
                self._event = event.event_id
                if event.at < self._began:
                    continue  # of a former life of this cluster
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
            self._job_done = await asyncio.to_thread(_done, snapshot.info.dashboard_url, job)
        floors = sum(row.min for row in snapshot.types if not row.is_head)
        workers = sum(1 for row in snapshot.rows if not row.member.is_head)
        return self._job_done and workers <= floors


def _done(dashboard_url: str, job: str) -> bool:
    """Whether the job has ended well; False also while the dashboard does not answer."""
    try:
        now = status(dashboard_url, job)
        if now in FINISHED and now != "SUCCEEDED":
            words = f"the sample job ended as {now}"
            raise CommandFailed(ExitCode.FAILED, words, logs(dashboard_url, job))
    except RayError:
        return False
    return now in FINISHED


def _kind(outcome: Outcome) -> tuple[str, str]:
    return outcome.label or outcome.resources.text(), outcome.reason.why.value


def _what(outcome: Outcome) -> str:
    return f"{outcome.count} × {outcome.label or outcome.resources.text()}"
