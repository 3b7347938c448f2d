"""`raytui exec`: a command where a cluster's Ray is."""

from __future__ import annotations

import click

from raytui.cli.commanding import How, carry_out, how_options, ready
from raytui.cli.ray_flags import rays_flags


@click.command()
@click.argument("cluster")
@click.argument("cmd")
@click.option(
    "--run-env",
    type=click.Choice(["auto", "host", "docker"]),
    default="auto",
    show_default=True,
    help="In the container, if the cluster has one, or on the host around it.",
)
@how_options
@rays_flags
def exec(  # noqa: A001 - the command's name
    cluster: str,
    cmd: str,
    run_env: str,
    start: bool,
    stop: bool,
    tmux: bool,
    screen: bool,
    ports: tuple[int, ...],
) -> int:
    """Run the shell command CMD on the head of CLUSTER; its exit code is ours.

    Its output comes as it is printed, and Ctrl-C ends it there. It has a terminal if we have one,
    else its stdin is empty. On a cluster of this machine it runs here, with RAY_ADDRESS set.
    """
    how = How(start, stop, tmux, screen, ports)
    found = ready(cluster, how)
    if run_env == "docker" and found.spec.head.docker is None:
        raise click.UsageError(f"{found.spec.cluster_name} has no docker section")
    return carry_out(found, cmd, how, on_host=run_env == "host")
