"""`raytui attach`: a shell on a machine of a cluster."""

from __future__ import annotations

import click

from raytui.cli.cluster import Meant
from raytui.cli.commanding import on_our_terminal, on_terminal, start
from raytui.cli.forwarding import forward_option, forwarding
from raytui.cli.machine import elsewhere, machine_of
from raytui.cli.ray_flags import rays_flags

_NOT_HERE = "its nodes share this one's shell; `raytui exec CLUSTER bash` has RAY_ADDRESS set"


@click.command()
@click.argument("cluster", required=False, metavar="[CLUSTER]")
@click.argument("node", required=False, metavar="[NODE]")
@click.option("--node-ip", help="The same as NODE.")
@click.option("--start", "first", is_flag=True, help="Launch the cluster first if it is not up.")
@click.option("--tmux", is_flag=True, help="In the tmux that runs there, or a new one.")
@click.option("--screen", is_flag=True, help="In the screen that runs there, or a new one.")
@click.option("-N", "--new", is_flag=True, help="In a new tmux or screen.")
@click.option("--host", "on_host", is_flag=True, help="On the host, not in Ray's container.")
@forward_option
@rays_flags
def attach(
    cluster: str | None,
    node: str | None,
    node_ip: str | None,
    first: bool,
    tmux: bool,
    screen: bool,
    new: bool,
    on_host: bool,
    ports: tuple[int, ...],
) -> int:
    """Open a shell on the head of CLUSTER, or on the machine of NODE (its id or address).

    A worker that this machine does not reach is reached through the head.
    """
    if new and not (tmux or screen):
        raise click.UsageError("--new is for --tmux and --screen")
    if tmux and screen:
        raise click.UsageError("either --tmux or --screen, not both")
    if not on_terminal():
        raise click.UsageError("there is no terminal to open a shell on; see raytui exec")
    if first:
        start(cluster)
    found = elsewhere(cluster, _NOT_HERE)
    return _shell(cluster, found, node or node_ip, _words(tmux, screen, new), on_host, ports)


def _shell(
    cluster: str | None,
    found: Meant,
    node: str | None,
    text: str,
    on_host: bool,
    ports: tuple[int, ...],
) -> int:
    from raytui.backends.login_shell import login_shell

    command = login_shell(text) if text else ()
    with machine_of(cluster, found, node) as reach, forwarding(reach, ports):
        return on_our_terminal(reach.terminal_argv(command, on_host=on_host))


def _words(tmux: bool, screen: bool, new: bool) -> str:
    """What is run there, in Ray's words; empty is a login shell."""
    if tmux:
        return "tmux new" if new else "tmux attach || tmux new"
    if screen:
        return "screen -L" if new else "screen -L -xRR"
    return ""
