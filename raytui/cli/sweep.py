"""`raytui sweep`: end instances that carry the cluster's tags and that nobody remembers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import cluster_option, converse, first_snapshot
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed

if TYPE_CHECKING:
    from raytui.client.daemon import DaemonClient
    from raytui.model.command import Ack


@click.command()
@click.argument("nodes", nargs=-1, metavar="[NODE…]")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@cluster_option
def sweep(nodes: tuple[str, ...], yes: bool, cluster: str | None) -> None:
    """Terminate orphans: all that are there now, or the ones that are named.

    Shows their age and price and asks first. Without a terminal to ask on, -y is needed.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on; say -y to sweep without asking")
    ack = converse(cluster, lambda client: _sweep(client, nodes, yes))
    if not ack.ok:
        raise CommandFailed(ExitCode.FAILED, ack.text)
    click.echo(ack.text, err=True)


async def _sweep(client: DaemonClient, nodes: tuple[str, ...], yes: bool) -> Ack:
    from raytui.autoscaler.consequences import orphan_lines, orphans_of
    from raytui.model.command import Ack, SweepOrphans

    snapshot = await first_snapshot(client)
    # What is asked about is what is ended: an orphan that comes up meanwhile is not.
    ids = nodes or orphans_of(snapshot)
    if not ids:
        return Ack(True, "there are no orphans")
    if not yes:
        for line in orphan_lines(snapshot, ids):
            click.echo(line, err=True)
        click.confirm(f"Terminate {', '.join(ids)} of {client.name}?", abort=True, err=True)
    return await client.send(SweepOrphans(ids))
