"""`raytui status --watch`: the whole status once, then what changes, until Ctrl-C."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol

import click

from raytui.cli.failures import unreachable
from raytui.cli.report_text import status_text
from raytui.cli.status_changes import changes
from raytui.client.base import ClusterClient, Link, LinkState
from raytui.model.snapshot import Snapshot
from raytui.model.text import clock_text, duration_text


class Telling(Protocol):
    """How news read."""

    def picture(self, old: Snapshot | None, new: Snapshot) -> Iterable[str]:
        """Lines about a newer picture; `old` is the one told of before."""
        ...

    def link(self, words: str) -> None:
        """Say how the connection is."""
        ...


class Plain:
    """Lines for people: nothing is ever drawn over, so that it can be read out or kept."""

    def picture(self, old: Snapshot | None, new: Snapshot) -> Iterable[str]:
        """The whole once, then what has changed."""
        return [status_text(new), ""] if old is None else changes(old, new)

    def link(self, words: str) -> None:
        """On stdout: a log without it would seem to say that nothing happened."""
        click.echo(f"{clock_text(time.time())}  {words}")


class Objects:
    """One JSON object a line, each of them the whole, as docs/json.md says."""

    def picture(self, old: Snapshot | None, new: Snapshot) -> Iterable[str]:
        """The whole."""
        from raytui.cli.status import json_of

        return [json_of(new)]

    def link(self, words: str) -> None:
        """On stderr: stdout is for objects."""
        click.echo(words, err=True)


async def watch(client: ClusterClient, telling: Telling, every_s: float) -> None:
    """Tell of news, at most once in `every_s` seconds, until the cluster is taken down.

    Then raises CommandFailed.
    """
    told: Snapshot | None = None
    lost_at: float | None = None
    try:
        async for news in client.updates():
            if not isinstance(news, LinkState):
                for line in telling.picture(told, news):
                    click.echo(line)
                told = news
                # Whatever changes meanwhile is in the next picture, which is the newest then.
                await asyncio.sleep(every_s)
            elif news.link is Link.CLOSED:
                raise unreachable(f"{client.name} was taken down")
            elif news.link is Link.LOST and lost_at is None:
                lost_at = time.monotonic()
                telling.link(f"no connection to {client.name}, trying again: {news.error}")
            elif news.link is Link.LIVE and lost_at is not None:
                away = duration_text(time.monotonic() - lost_at)
                telling.link(f"connected to {client.name} again after {away}")
                lost_at = None
    finally:
        await client.close()
