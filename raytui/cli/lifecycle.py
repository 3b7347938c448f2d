"""`raytui up` and `raytui down`."""

from __future__ import annotations

import sys

import click

from raytui.cli.cluster import cluster_argument, target_of


@click.command()
@cluster_argument
def up(cluster: str | None) -> None:
    """Start CLUSTER: its head, its autoscaler, and the workers it has at least.

    What already runs is kept, what is missing is started, so it may be repeated. Runs on when this
    terminal is closed; `raytui down` ends it.
    """
    from raytui.cli.steps import StepPrinter
    from raytui.config.target import cluster_of
    from raytui.launcher import up as bring_up

    target = target_of(cluster)
    spec = cluster_of(target)
    with StepPrinter(sys.stderr) as printer:
        bring_up(spec, printer)
    click.echo(f"{spec.cluster_name} is up. Open it: raytui {spec.cluster_name}", err=True)


@click.command()
@cluster_argument
@click.option("--workers-only", is_flag=True, help="Keep the head and the autoscaler.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def down(cluster: str | None, workers_only: bool, yes: bool) -> None:
    """Terminate every node of CLUSTER and its autoscaler; no process is left behind.

    Asks first on a terminal. Works too when the daemon or the head is dead, or the file is gone.
    """
    from raytui.cli.steps import StepPrinter
    from raytui.config.launched import recall
    from raytui.config.locations import ClusterPaths
    from raytui.config.target import cluster_of, name_of
    from raytui.launcher import down as take_down
    from raytui.launcher.options import DownOptions

    target = target_of(cluster)
    name = name_of(target)
    paths = ClusterPaths(name)
    # As it was launched, not as its file reads by now: that is what there is to take down.
    spec = recall(paths) or cluster_of(target)
    if not yes and sys.stdin.isatty():
        what = "all workers" if workers_only else "all nodes"
        click.confirm(f"Terminate {what} of {name}?", abort=True, err=True)
    with StepPrinter(sys.stderr) as printer:
        take_down(spec, printer, DownOptions(workers_only=workers_only))
    click.echo(f"{name}: workers are down" if workers_only else f"{name} is down", err=True)
