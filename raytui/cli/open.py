"""`raytui [CLUSTER]`: open a cluster in the terminal, or offer to launch it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import cluster_argument, meant, target_of
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import unreachable
from raytui.cli.kube_place import kubernetes_options
from raytui.cli.on_screen import has_screen
from raytui.cli.own_settings import own_settings

if TYPE_CHECKING:
    from raytui.config.locations import ClusterPaths
    from raytui.config.settings import Settings
    from raytui.model.spec import ClusterSpec, NodeType


@click.command("open")
@cluster_argument
@kubernetes_options
@click.option("--read-only", is_flag=True, help="Refuse every command that changes something.")
@click.option("--theme", metavar="NAME", help="Colours for this time.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--daemon", "as_daemon", is_flag=True, help="Be its autoscaler, without a terminal.")
def open(  # noqa: A001 - the command's name
    cluster: str | None, read_only: bool, theme: str | None, no_mouse: bool, as_daemon: bool
) -> int:
    """Open CLUSTER in the terminal; when nothing of it runs, offer to launch it.

    Leaving keeps the cluster and its autoscaler running. When stdout is no terminal, prints the
    status once.
    """
    target = target_of(cluster)
    if as_daemon:
        from raytui.autoscaler.daemon.serve import serve

        serve(target)
        return ExitCode.OK
    if not has_screen():
        from raytui.cli.status import text_of

        click.echo(text_of(cluster))
        return ExitCode.OK
    return _show(target, own_settings(theme=theme, no_mouse=no_mouse), read_only=read_only)


def _show(target: str, settings: Settings, *, read_only: bool) -> int:
    from raytui.app import RaytuiApp
    from raytui.cli.launching import LaunchHere
    from raytui.client.reached import client_for
    from raytui.launcher import up
    from raytui.provisioning.target import cluster_of

    spec, paths, _ = meant(target)
    if running(spec, paths):
        app = RaytuiApp(client_for(spec, paths, read_only=read_only), settings=settings)
    elif read_only or settings.of_cluster(spec.cluster_name).read_only:
        raise unreachable(f"{spec.cluster_name} is not running, and read-only launches nothing")
    else:
        app = RaytuiApp(
            None,
            launch=LaunchHere(
                lambda sink: up(cluster_of(target), sink),
                lambda: client_for(cluster_of(target), paths, read_only=read_only),
            ),
            launch_title=description(spec),
            settings=settings,
        )
    app.run(mouse=settings.mouse)
    return ExitCode.FAILED if app.launch_error is not None else ExitCode.OK


def running(spec: ClusterSpec, paths: ClusterPaths) -> bool:
    """Whether there is a cluster to look at; a head here whose daemon is dead gets a new one.

    One elsewhere is looked at as soon as it was launched: the screens say how it is.
    """
    from raytui.config.launched import recall
    from raytui.launcher.place import Place, place_of

    match place_of(spec):
        case Place.HEAD:
            return recall(paths) is not None
        case Place.KUBERNETES:
            from raytui.launcher.on_kubernetes import is_there

            return is_there(spec)
        case Place.HERE:
            return _runs_here(spec, paths)


def _runs_here(spec: ClusterSpec, paths: ClusterPaths) -> bool:
    from raytui.cli.steps import StepPrinter
    from raytui.launcher import up
    from raytui.launcher.daemon_process import daemon_runs
    from raytui.launcher.up_here import cluster_is_up

    if daemon_runs(paths):
        return True
    if not cluster_is_up(spec, paths):
        return False
    with StepPrinter(sys.stderr) as printer:
        up(spec, printer)
    return True


def description(spec: ClusterSpec) -> str:
    """What would be launched, for a person who decides whether to."""
    from raytui.provisioning.registry import cloud_for

    lines = [f"{spec.cluster_name} · {spec.provider.type} · {spec.source}"]
    lines.append(f"head: {spec.head_node_type}, at most {spec.max_workers} workers")
    lines += [
        f"{t.name}: {_resources(t)}, {t.min_workers} to {t.max_workers}" for t in spec.worker_types
    ]
    if cloud_for(spec):
        lines.append(f"what would be bought, and its price: raytui up {spec.source} --dry-run")
    return "\n".join(lines)


def _resources(node_type: NodeType) -> str:
    return node_type.resources.text() if node_type.resources else "what its machines have"
