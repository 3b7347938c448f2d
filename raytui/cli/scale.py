"""`raytui scale`: how many nodes of a type there are at least."""

from __future__ import annotations

import click

from raytui.cli.cluster import cluster_option, give


@click.command()
@click.argument("node_type", metavar="TYPE")
@click.argument("floor", metavar="N|default")
@cluster_option
def scale(node_type: str, floor: str, cluster: str | None) -> None:
    """Keep at least N nodes of TYPE; `default` gives the type its min_workers back.

    More nodes still come with demand, and idle ones leave down to N.
    """
    from raytui.model.command import SetFloor

    if floor != "default" and not floor.isdecimal():
        raise click.BadParameter(f"{floor!r} is neither a number nor `default`", param_hint="N")
    give(cluster, SetFloor(node_type, None if floor == "default" else int(floor)))
