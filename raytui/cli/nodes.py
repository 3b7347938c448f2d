"""`raytui terminate`, `hold` and `release`: what becomes of single nodes."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import cluster_option, converse, give
from raytui.cli.durations import DURATION
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.client.daemon import DaemonClient
    from raytui.model.command import Ack, Impact

_nodes = click.argument("nodes", nargs=-1, required=True, metavar="NODE…")


@click.command()
@_nodes
@click.option(
    "--drain",
    type=DURATION,
    default="5m",
    show_default=True,
    help="How long running work may take to end; then it is terminated all the same.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@cluster_option
def terminate(nodes: tuple[str, ...], drain: float, yes: bool, cluster: str | None) -> None:
    """Let nodes take no new work, and terminate them when they are empty or time is up.

    Shows what runs on them and asks first. Without a terminal to ask on, -y is needed.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; say -y to terminate without asking")
    ack = converse(cluster, lambda client: _terminate(client, nodes, drain, yes))
    if not ack.ok:
        raise CommandFailed(ExitCode.FAILED, ack.text)
    click.echo(ack.text, err=True)


async def _terminate(client: DaemonClient, nodes: tuple[str, ...], drain: float, yes: bool) -> Ack:
    from raytui.model.command import Terminate

    if not yes:
        for impact in await client.impact(nodes):
            click.echo(impact_text(impact), err=True)
        click.confirm(f"Terminate {', '.join(nodes)} of {client.name}?", abort=True, err=True)
    return await client.send(Terminate(nodes, drain))


def impact_text(impact: Impact) -> str:
    """What dies with a node, one line a kind."""
    from raytui.model.text import bytes_text

    lines = [f"{impact.instance_id}  {impact.node_type}".rstrip()]
    kinds = (
        ("tasks", impact.tasks),
        ("actors", impact.actors),
        ("placement groups", impact.placement_groups),
        ("job drivers", impact.jobs),
    )
    lines += [f"  {kind}: {', '.join(names)}" for kind, names in kinds if names]
    if impact.object_bytes:
        lines.append(f"  objects: {bytes_text(impact.object_bytes)} in its store")
    lines += [f"  {note}" for note in impact.notes]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing runs on it"])


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
