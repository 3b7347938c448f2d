"""`raytui scale`: how many nodes of a type there are at least, and at most."""

from __future__ import annotations

import click

from raytui.cli.cluster import cluster_option, give


@click.command()
@click.argument("node_type", metavar="TYPE")
@click.argument("floor", metavar="[N|default]", required=False)
@click.option(
    "--max", "ceiling", metavar="N|default", help="At most N nodes; `default`: only max_workers."
)
@cluster_option
def scale(node_type: str, floor: str | None, ceiling: str | None, cluster: str | None) -> None:
    """Keep at least N nodes of TYPE; `default` gives the type its min_workers back.

    More nodes still come with demand, and idle ones leave down to N. With --max there are at most
    so many, whatever the demand and the floor; nodes above it are drained.
    """
    from raytui.model.command import SetCeiling, SetFloor

    if floor is None and ceiling is None:
        raise click.UsageError("say how many: N, --max N, or both")
    least, most = _number(floor, "N"), _number(ceiling, "--max")
    if floor is not None:
        give(cluster, SetFloor(node_type, least))
    if ceiling is not None:
        give(cluster, SetCeiling(node_type, most))


def _number(text: str | None, where: str) -> int | None:
    if text is None or text == "default":
        return None
    if not (text.isascii() and text.isdecimal()):
        raise click.BadParameter(f"{text!r} is neither a number nor `default`", param_hint=where)
    return int(text)
