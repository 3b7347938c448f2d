"""`raytui daemon`: run the autoscaler, ask how it does, reach, reload, stop or install it."""

from __future__ import annotations

import click

from raytui.cli.cluster import (
    cluster_argument,
    cluster_option,
    give,
    meant_elsewhere,
    target_of,
)

json_option = click.option("--json", "as_json", is_flag=True, help="Each step as one JSON object.")


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
@click.argument("file", metavar="CLUSTER.yaml")
@click.option("--watch-only", is_flag=True, help="Do not act: Ray's own autoscaler scales.")
@json_option
def start(file: str, watch_only: bool, as_json: bool) -> None:
    """Start the autoscaler of a cluster file in the background, in place of one that runs.

    Returns when it answers, or fails with its last words. On a head it is started again when it
    ends in trouble, by systemd or, without it, by `raytui daemon keep`.
    """
    from pathlib import Path

    from raytui.cli.steps import printer
    from raytui.config.cluster import load_cluster
    from raytui.config.locations import ClusterPaths
    from raytui.launcher.daemon_anew import start_daemon_anew

    spec = load_cluster(Path(file).expanduser())
    with printer(as_json) as on_step:
        start_daemon_anew(
            spec,
            ClusterPaths(spec.state_name),
            on_step,
            watch_only=watch_only,
        )


@daemon.command()
@click.argument("cluster")
@click.option("--log-only", is_flag=True, hidden=True)
def keep(cluster: str, log_only: bool) -> int:
    """Run the autoscaler of CLUSTER and start it again, with growing pauses, when it fails.

    It ends when the autoscaler is stopped in order, or by SIGTERM.
    """
    from raytui.config.locations import ClusterPaths
    from raytui.launcher import keeper
    from raytui.provisioning.target import name_of

    return keeper.keep(cluster, ClusterPaths(name_of(cluster)).make())


@daemon.command("follow-setup")
@cluster_argument
@json_option
def follow_setup(cluster: str | None, as_json: bool) -> None:
    """Show the set-up of CLUSTER's nodes until its first ones run, or nothing more is to be seen.

    Ctrl-C ends the showing only.
    """
    from raytui.cli.steps import printer
    from raytui.config.locations import ClusterPaths
    from raytui.launcher.first_nodes import SET_UP_WAIT_S, wait_for_first_nodes
    from raytui.provisioning.target import name_of

    paths = ClusterPaths(name_of(target_of(cluster)))
    with printer(as_json) as on_step:
        wait_for_first_nodes(paths, on_step, within_s=SET_UP_WAIT_S)


@daemon.command()
@click.option("--stdio", is_flag=True, required=True, help="Join stdin and stdout to the socket.")
@cluster_option
def connect(stdio: bool, cluster: str | None) -> None:
    """Bridge stdin and stdout to the daemon's control socket (see docs/protocol.md).

    Run it on the head through ssh or kubectl to control a cluster from elsewhere.
    """
    from raytui.cli.bridge import bridge
    from raytui.config.locations import ClusterPaths
    from raytui.provisioning.target import name_of

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


@daemon.command()
@cluster_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as docs/operating.md says.")
def status(cluster: str | None, as_json: bool) -> int:
    """Tell whether the daemon runs and is well.

    Exit codes: 0 it is well, 1 it runs but does not act, 3 none runs or it does not answer.
    """
    from raytui.autoscaler.daemon.status import daemon_status
    from raytui.cli import daemon_status as told
    from raytui.cli.on_head import name_there, run_on_head
    from raytui.config.locations import ClusterPaths
    from raytui.provisioning.target import name_of

    there = meant_elsewhere(cluster)
    # In a pod the daemon of a cluster on Kubernetes is beside us, wherever the cluster is.
    if there is not None and not there.paths.socket.exists():
        words = ("daemon", "status", name_there(there.spec), *(("--json",) if as_json else ()))
        return run_on_head(there, *words)
    name = name_of(target_of(cluster)) if there is None else there.spec.state_name
    found = daemon_status(name, ClusterPaths(name))
    click.echo(told.as_json(found) if as_json else told.as_text(found))
    return told.exit_code(found)


@daemon.command()
@click.argument("file", metavar="CLUSTER.yaml")
@click.option("--user", "of_user", is_flag=True, help="A service of this user, without root.")
@click.option("--dry-run", is_flag=True, help="Print the unit file and change nothing.")
def install(file: str, of_user: bool, dry_run: bool) -> None:
    """Make the daemon of a cluster file a systemd service (see docs/operating.md)."""
    from raytui.config.cluster import load_cluster
    from raytui.launcher.service import enable, service_of, write

    service = service_of(load_cluster(file), of_user=of_user)
    if dry_run:
        click.echo(service.text, nl=False)
        return
    write(service)
    click.echo(f"wrote {service.path}", err=True)
    command = " ".join(service.systemctl)
    if enable(service):
        click.echo(f"enabled; start it: {command} start {service.name}", err=True)
    else:
        click.echo(
            "systemd does not run here; where it does: "
            f"{command} daemon-reload && {command} enable --now {service.name}",
            err=True,
        )
    if of_user:
        click.echo("to have it outlive your sessions: loginctl enable-linger", err=True)
