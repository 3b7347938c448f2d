"""`raytui submit`: a script of this machine, run where a cluster's Ray is."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from raytui.cli.commanding import How, carry_out, how_options, ready
from raytui.cli.machine import head_of
from raytui.cli.ray_flags import rays_flags


@click.command()
@click.argument("cluster")
@click.argument("script", type=click.Path(exists=True, dir_okay=False))
@click.argument("script_args", nargs=-1, metavar="[-- ARGS…]")
@click.option("--extra-screen-args", default="", help="Options for screen.")
@how_options
@rays_flags
def submit(
    cluster: str,
    script: str,
    script_args: tuple[str, ...],
    extra_screen_args: str,
    start: bool,
    stop: bool,
    tmux: bool,
    screen: bool,
    ports: tuple[int, ...],
) -> int:
    """Copy SCRIPT into the home directory on the head of CLUSTER and run it there with python.

    Exit code, output and Ctrl-C are as of `raytui exec`. `raytui job submit` hands it to Ray
    instead, which keeps status and output.
    """
    from raytui.launcher.place import Place, place_of

    if extra_screen_args and not screen:
        raise click.UsageError("--extra-screen-args is for --screen")
    options = shlex.join(shlex.split(extra_screen_args))
    how = How(start, stop, tmux, screen, ports, options)
    found = ready(cluster, how)
    path = shlex.quote(str(Path(script).resolve()))
    if place_of(found.spec) is not Place.HERE:
        name = Path(script).name
        with head_of(found) as reach:
            reach.inside.put(script, f"~/{name}")
        path = f"~/{shlex.quote(name)}"  # `~` is for the shell there.
    return carry_out(found, f"python {path} {shlex.join(script_args)}".rstrip(), how)
