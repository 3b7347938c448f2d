"""`raytui daemon`: run the autoscaler, reach it from elsewhere, reload or stop it."""

from __future__ import annotations

import click

from raytui.cli.cluster import cluster_argument, cluster_option, give, target_of


@click.group()
def daemon() -> None:
    """Run the autoscaler of a cluster, or reach one that runs."""


@daemon.command()
@click.argument("cluster")
@click.option("--log-only", is_flag=True, help="Log to the state directory, not to stderr.")
def run(cluster: str, log_only: bool) -> None:
    """Be the autoscaler of CLUSTER in the foreground (the same as `raytui --daemon CLUSTER`).

    SIGTERM and Ctrl-C end it; nodes stay. Only one runs for each cluster.
    """
    from raytui.autoscaler.daemon.serve import serve

    serve(cluster, on_stderr=not log_only)


@daemon.command()
@click.option("--stdio", is_flag=True, required=True, help="Join stdin and stdout to the socket.")
@cluster_option
def connect(stdio: bool, cluster: str | None) -> None:
    """Bridge stdin and stdout to the daemon's control socket (see docs/protocol.md).

    Run it on the head through ssh or kubectl to control a cluster from elsewhere.
    """
    from raytui.cli.bridge import bridge
    from raytui.config.locations import ClusterPaths
    from raytui.config.target import name_of

    bridge(ClusterPaths(name_of(target_of(cluster))).socket)


@daemon.command()
@cluster_argument
def reload(cluster: str | None) -> None:
    """Have the daemon read its cluster file again; a bad file changes nothing."""
    from raytui.model.command import Reload

    give(cluster, Reload())


@daemon.command()
@cluster_argument
def stop(cluster: str | None) -> None:
    """Stop the daemon; the cluster's nodes stay."""
    from raytui.model.command import Stop

    give(cluster, Stop())
