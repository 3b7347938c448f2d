"""`raytui k8s`: RayClusters on Kubernetes, listed, made, scaled and deleted."""

from __future__ import annotations

import importlib
import sys

import click

from raytui.cli.kube_place import context_option, here_options, namespace_option

_COMMANDS = {
    "list": ("raytui.cli.k8s_list", "All RayClusters: how they are, and who scales them."),
    "create": ("raytui.cli.k8s_change", "Make a RayCluster from a few words, or of a file."),
    "scale": ("raytui.cli.k8s_change", "Set the replicas of a worker group."),
    "delete": ("raytui.cli.k8s_change", "Delete a RayCluster and all its pods."),
    "job": ("raytui.cli.k8s_job", "Submit a job to a RayCluster."),
    "install": ("raytui.cli.k8s_install", "Have raytui scale a RayCluster that KubeRay runs."),
    "uninstall": ("raytui.cli.k8s_install", "Take that away again."),
}


class _Commands(click.Group):
    """Loads a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(_COMMANDS[name][0]), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


@click.group(cls=_Commands, invoke_without_command=True)
@context_option
@namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Those of all namespaces.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and leave.")
@click.option("--read-only", is_flag=True, help="Refuse every command that changes something.")
@click.pass_context
def k8s(
    ctx: click.Context,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    as_json: bool,
    read_only: bool,
) -> None:
    """Show the RayClusters of a Kubernetes context, and open one.

    What kubectl would take is taken where nothing is said: $KUBECONFIG, else ~/.kube/config, else
    the service account of this pod; its current context and that context's namespace. When stdout
    is no terminal, the list is printed once instead.
    """
    ctx.obj = here_options(context, namespace)
    if ctx.invoked_subcommand is not None:
        return
    if as_json or not (sys.stdout.isatty() and sys.stdin.isatty()):
        from raytui.cli.k8s_list import print_list

        print_list(context or "", namespace or "", everywhere=all_namespaces, as_json=as_json)
        return
    _show(context or "", namespace or "", everywhere=all_namespaces, read_only=read_only)


def _show(context: str, namespace: str, *, everywhere: bool, read_only: bool) -> None:
    from raytui.app import RaytuiApp
    from raytui.backends.kubernetes.named import access_to
    from raytui.cli.own_settings import own_settings
    from raytui.client.kube_fleet import KubeFleetClient

    access = access_to(context, namespace)
    looked_at = "" if everywhere else access.namespace
    fleet = KubeFleetClient(access.context, looked_at, read_only=read_only)
    settings = own_settings()
    RaytuiApp(None, fleet=fleet, settings=settings).run(mouse=settings.mouse)
