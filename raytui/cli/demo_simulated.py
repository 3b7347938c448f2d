"""The simulated cluster of `raytui demo --nodes N`: on a terminal the screens, else the status."""

from __future__ import annotations

import asyncio
import time

import click

from raytui.cli.exit_codes import ExitCode
from raytui.client.base import LinkState
from raytui.client.simulated import SimulatedClient
from raytui.config.settings import Settings
from raytui.model.snapshot import Snapshot

_GROW_S = 5.0
_MOST = 0.8


def show_simulated(nodes: int, seed: int, settings: Settings, *, read_only: bool) -> int:
    """Open the screens on a simulated cluster."""
    from raytui.app import RaytuiApp

    client = SimulatedClient(nodes, seed, read_only=read_only)
    RaytuiApp(client, settings=settings).run(mouse=settings.mouse)
    return ExitCode.OK


def print_simulated(nodes: int, seed: int) -> int:
    """Print its status once."""
    from raytui.cli.report_text import status_text

    click.echo(status_text(asyncio.run(_grown(nodes, seed))))
    return ExitCode.OK


async def _grown(nodes: int, seed: int) -> Snapshot:
    """The first snapshot in which most nodes run, or the newest after a while."""
    client = SimulatedClient(nodes, seed)
    end = time.monotonic() + _GROW_S
    try:
        async for news in client.updates():
            if not isinstance(news, LinkState):
                running = sum(row.running for row in news.types)
                if running >= nodes * _MOST or time.monotonic() > end:
                    return news
    finally:
        await client.close()
    raise AssertionError("a simulated cluster goes on until it is closed")
