"""The program: which word is which command, and how every command ends."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from raytui import __version__
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import as_failure

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMMANDS = {
    "up": ("raytui.cli.lifecycle", "Start a cluster, or complete one that is half up."),
    "down": ("raytui.cli.lifecycle", "Take a cluster down."),
    "trust": ("raytui.cli.lifecycle", "Look at the host keys of a cluster, and pin them."),
    "status": ("raytui.cli.status", "Nodes, pending demand and why, failures, cost."),
    "plan": ("raytui.cli.plan", "What the autoscaler would do now or for a given state, and why."),
    "scale": ("raytui.cli.scale", "Set the floor or the ceiling of a node type."),
    "terminate": ("raytui.cli.nodes", "Drain nodes and terminate them."),
    "sweep": ("raytui.cli.sweep", "Terminate orphans."),
    "hold": ("raytui.cli.nodes", "Protect nodes from removal."),
    "keep": ("raytui.cli.nodes", "Take back an order to terminate that has not begun."),
    "release": ("raytui.cli.nodes", "Take a hold away."),
    "pause": ("raytui.cli.autoscaler", "Let the autoscaler watch but not act."),
    "resume": ("raytui.cli.autoscaler", "Let the autoscaler act again."),
    "request": ("raytui.cli.autoscaler", "Make sure that resources exist (request_resources)."),
    "attach": ("raytui.cli.attach", "A shell on the head or on a node."),
    "exec": ("raytui.cli.exec", "Run a command on the head."),
    "submit": ("raytui.cli.submit", "Copy a script to the head and run it."),
    "rsync-up": ("raytui.cli.files", "Copy files to the head, or to all nodes."),
    "rsync-down": ("raytui.cli.files", "Copy files from the head."),
    "get-head-ip": ("raytui.cli.addresses", "The head's address."),
    "get-worker-ips": ("raytui.cli.addresses", "The workers' addresses."),
    "monitor": ("raytui.cli.monitor", "Follow the autoscaler's log."),
    "job": ("raytui.cli.job", "Submit jobs, list, follow and stop them."),
    "dashboard": ("raytui.cli.dashboard", "Make Ray's dashboard reachable from here."),
    "demo": ("raytui.cli.demo", "A real Ray cluster on this machine, with work for it."),
    "daemon": ("raytui.cli.daemon", "Run the autoscaler, or connect to it."),
    "k8s": ("raytui.cli.k8s", "RayClusters on Kubernetes: list, create, scale, delete."),
    "operator": ("raytui.cli.operator", "Drive the RayClusters of a Kubernetes cluster."),
    "catalog": ("raytui.cli.catalog", "EC2 instance types: what they have and cost."),
    "orphans": ("raytui.cli.orphans", "What clusters have left behind on AWS, and its cost."),
    "config": ("raytui.cli.config", "Settings: those in force, all there are, and problems."),
    "info": ("raytui.cli.info", "Paths, versions, known clusters."),
    "web": ("raytui.cli.web", "The screens in a browser on this machine."),
    "completion": ("raytui.cli.completion", "Completion of words for bash, zsh and fish."),
    "open": ("raytui.cli.open", "Open a cluster in the terminal (the default)."),
}
"""Name → (module that has a command of this name, short help). `--help` imports none of them.

A `-` of a name is a `_` in the module.
"""

COMPLETE = "_RAYTUI_COMPLETE"
"""A shell that wants words completed asks by this variable; click's convention."""

_HELP = """Launch, watch, scale and explain Ray clusters.

`raytui [CLUSTER]` opens a cluster: a Ray cluster YAML, or the name of a launched cluster. Without
CLUSTER it is $RAYTUI_CLUSTER, else the only launched cluster, else the packaged laptop cluster.
When stdout is no terminal, its status is printed once instead.

Exit codes: 0 ok, 1 failed, 2 usage or config, 3 unreachable, 4 timeout, 130 interrupted.
"""


class _Program(click.Group):
    """Loads a command when it is asked for; what is no command's name is a cluster to open."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(_COMMANDS[name][0]), name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if not args and ctx.resilient_parsing:
            return super().parse_args(ctx, args)  # a shell asks which words there are
        if not args or (args[0] not in _COMMANDS and args[0] not in own):
            args = ["open", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from raytui.cli.cluster import complete_cluster

        parameter = click.Argument(["cluster"])
        clusters = complete_cluster(ctx, parameter, incomplete)
        return [*clusters, *super().shell_complete(ctx, incomplete)]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage("raytui", "[CLUSTER] [--read-only] [--theme NAME] [--no-mouse]")
        formatter.write_usage("raytui", "--daemon CLUSTER")
        formatter.write_usage("raytui", "COMMAND [ARGS]…")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


@click.command(cls=_Program, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="raytui %(version)s")
def program() -> None:
    """The root; everything is done by its commands."""


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors that are expected are one sentence."""
    if COMPLETE in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, "raytui", COMPLETE, os.environ[COMPLETE])
    try:
        # Not `main`: click would take a closed stdout for a failure.
        with program.make_context("raytui", list(args)) as context:
            result = program.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE if isinstance(error, click.UsageError) else ExitCode.FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Who read our output has enough. What is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        failure = as_failure(error)
        if failure is None:
            raise
        click.echo(f"raytui: {failure}", err=True)
        if failure.detail:
            click.echo(failure.detail.rstrip(), err=True)
        return failure.code
    return result if isinstance(result, int) else ExitCode.OK
