"""`raytui terminate`, `hold` and `release`: what becomes of single nodes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import cluster_option, converse, first_snapshot, give
from raytui.cli.durations import DURATION
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.client.daemon import DaemonClient
    from raytui.model.command import Ack, Terminate

_nodes = click.argument("nodes", nargs=-1, required=True, metavar="NODE…")


@click.command()
@_nodes
@click.option(
    "--drain",
    type=DURATION,
    help="How long running work may take to end; then it is terminated all the same. "
    "Default: removal.drain_deadline of the cluster file, else 5m.",
)
@click.option(
    "--wait",
    type=DURATION,
    default=0.0,
    help="Begin after this time; until then `raytui keep` takes it back.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@cluster_option
def terminate(
    nodes: tuple[str, ...], drain: float | None, wait: float, yes: bool, cluster: str | None
) -> None:
    """Let nodes take no new work, and terminate them when they are empty or time is up.

    Shows what runs on them and asks first. Without a terminal to ask on, -y is needed.
    """
    from raytui.model.command import Terminate

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; say -y to terminate without asking")
    order = Terminate(nodes, drain, wait)
    ack = converse(cluster, lambda client: _terminate(client, order, yes))
    if not ack.ok:
        raise CommandFailed(ExitCode.FAILED, ack.text)
    click.echo(ack.text, err=True)


async def _terminate(client: DaemonClient, order: Terminate, yes: bool) -> Ack:
    if not yes:
        for line in await _consequences(client, order.instance_ids):
            click.echo(line, err=True)
        names = ", ".join(order.instance_ids)
        click.confirm(f"Terminate {names} of {client.name}?", abort=True, err=True)
    return await client.send(order)


async def _consequences(client: DaemonClient, nodes: tuple[str, ...]) -> list[str]:
    """What dies with the nodes, and what the autoscaler will start in their place."""
    from raytui.autoscaler.consequences import floor_lines, impact_lines

    lines = []
    impacts = await client.impact(nodes)
    for impact in impacts:
        lines.append(f"{impact.instance_id}  {impact.node_type}".rstrip())
        lines += [f"  {line}" for line in impact_lines(impact)]
    snapshot = await first_snapshot(client)
    return lines + floor_lines(snapshot, (impact.node_type for impact in impacts))


@click.command()
@_nodes
@cluster_option
def keep(nodes: tuple[str, ...], cluster: str | None) -> None:
    """Take back an order to terminate nodes that has not begun."""
    from raytui.model.command import KeepNodes

    give(cluster, KeepNodes(nodes))


@click.command()
@_nodes
@click.option("--for", "length", type=DURATION, help="End by itself after this time, e.g. 2h.")
@cluster_option
def hold(nodes: tuple[str, ...], length: float | None, cluster: str | None) -> None:
    """Protect nodes from removal by the autoscaler until they are released."""
    from raytui.model.command import HoldNodes

    give(cluster, HoldNodes(nodes, time.time() + length if length else 0.0))


@click.command()
@_nodes
@cluster_option
def release(nodes: tuple[str, ...], cluster: str | None) -> None:
    """Take a hold away."""
    from raytui.model.command import ReleaseNodes

    give(cluster, ReleaseNodes(nodes))
