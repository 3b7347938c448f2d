"""`raytui status`: the cluster as it stands, once, or again with every change."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import client_of, cluster_argument, first_snapshot, reachable
from raytui.cli.failures import unreachable
from raytui.cli.kube_place import kubernetes_options

if TYPE_CHECKING:
    from raytui.config.locations import ClusterPaths
    from raytui.model.snapshot import Snapshot
    from raytui.model.spec import ClusterSpec

_REPRINT_EVERY_S = 1.0


@click.command()
@cluster_argument
@kubernetes_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as docs/json.md says.")
@click.option("--watch", is_flag=True, help="Print again when something changes, until Ctrl-C.")
def status(cluster: str | None, as_json: bool, watch: bool) -> None:
    """Print what runs, what waits and why, what failed, and what it costs.

    With --watch and --json, one object a line. Without a daemon it says what provider and Ray say.
    """
    if watch:
        asyncio.run(_watch(cluster, as_json))
    else:
        click.echo(json_of(snapshot_now(cluster)) if as_json else text_of(cluster))


def text_of(cluster: str | None) -> str:
    """The status for people, with the way for drivers; exit code 3 if there is none."""
    from raytui.cli.drivers import ray_client_lines
    from raytui.cli.report_text import status_text

    snapshot = snapshot_now(cluster)
    spec, paths, _ = reachable(cluster)
    return status_text(snapshot, ray_client_lines(spec, paths))


def json_of(snapshot: Snapshot) -> str:
    """One object on one line, as docs/json.md says."""
    from raytui.cli.report import report_of
    from raytui.model.codec import encode

    return encode(report_of(snapshot)).decode()


def snapshot_now(cluster: str | None) -> Snapshot:
    """One snapshot, from the daemon or, when it is dead here, without it; exit code 3 if none."""
    from raytui.client.base import ClientError
    from raytui.launcher.place import Place, place_of

    try:
        return asyncio.run(_first_snapshot(cluster))
    except ClientError as error:
        spec, paths, _ = reachable(cluster)
        if place_of(spec) is not Place.HERE:
            raise
        snapshot = _unattended(spec, paths)
        if snapshot is None:
            raise unreachable(f"{error}, and no node of the cluster is there") from None
        return snapshot


async def _first_snapshot(cluster: str | None) -> Snapshot:
    client = client_of(cluster, read_only=True)
    try:
        return await first_snapshot(client)
    finally:
        await client.close()


def _unattended(spec: ClusterSpec, paths: ClusterPaths) -> Snapshot | None:
    from raytui.autoscaler.loop.unattended import observe_unattended

    return observe_unattended(spec, paths)


async def _watch(cluster: str | None, as_json: bool) -> None:
    from raytui.cli.report_text import status_text
    from raytui.client.base import Link, LinkState

    client = client_of(cluster, read_only=True)
    try:
        async for news in client.updates():
            if not isinstance(news, LinkState):
                _print_again(json_of(news) if as_json else status_text(news), as_json)
                # Whatever changes meanwhile is in the next snapshot, which is the newest then.
                await asyncio.sleep(_REPRINT_EVERY_S)
            elif news.link is Link.CLOSED:
                raise unreachable(f"{client.name} was taken down")
            elif news.link is Link.LOST:
                click.echo(f"no connection to {client.name}: {news.error}", err=True)
    finally:
        await client.close()


def _print_again(text: str, as_json: bool) -> None:
    if not as_json and sys.stdout.isatty():
        click.clear()
    click.echo(text if as_json else text + "\n")
