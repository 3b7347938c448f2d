"""Runs a person's command where a cluster's Ray is: what `exec` and `submit` have in common."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from raytui.cli.cluster import Meant, meant
from raytui.cli.forwarding import forward_option, forwarding
from raytui.cli.machine import head_of

if TYPE_CHECKING:
    from raytui.backends.base import CommandRunner
    from raytui.cli.machine import AnyReach

_MARK = "RAYTUI_COMMAND"
_END_S = 30.0

F = TypeVar("F", bound=Callable[..., Any])


class How(NamedTuple):
    """How a command is run; the words are Ray's."""

    start: bool = False
    stop: bool = False
    tmux: bool = False
    screen: bool = False
    ports: Sequence[int] = ()
    screen_options: str = ""

    @property
    def detached(self) -> bool:
        """It goes on when we have left."""
        return self.tmux or self.screen


def how_options(command: F) -> F:
    """The options that make a `How`."""
    for option in (
        forward_option,
        click.option("--screen", is_flag=True, help="Run it in a screen there, and leave."),
        click.option("--tmux", is_flag=True, help="Run it in a tmux there, and leave."),
        click.option("--stop", is_flag=True, help="Then take the cluster down."),
        click.option("--start", is_flag=True, help="Launch the cluster first if it is not up."),
    ):
        command = option(command)
    return command


def ready(cluster: str | None, how: How) -> Meant:
    """The cluster, launched if that is wanted; raises UsageError and what a launch raises."""
    if how.tmux and how.screen:
        raise click.UsageError("either --tmux or --screen, not both")
    if how.start:
        start(cluster)
    return meant(cluster)


def start(cluster: str | None) -> None:
    """Launch the cluster unless its daemon answers; Ray is not restarted where it runs."""
    from raytui.cli.cluster import converse, first_snapshot
    from raytui.cli.failures import CommandFailed
    from raytui.cli.steps import printer
    from raytui.client.base import ClientError
    from raytui.launcher import up
    from raytui.launcher.options import UpOptions
    from raytui.provisioning.deciding import Restarts

    try:
        converse(cluster, first_snapshot)
    except (ClientError, CommandFailed):
        with printer() as on_step:
            up(meant(cluster).spec, on_step, UpOptions(Restarts(no_restart=True)))


def carry_out(found: Meant, text: str, how: How, *, on_host: bool = False) -> int:
    """Run a shell text on the head, or here if the cluster is here; its exit code.

    It has our terminal if there is one; without one its output comes line by line, and it ends
    when we are ended. Raises SshError and CommandFailed when it could not be run.
    """
    from raytui.launcher.place import Place, place_of

    name, here = found.spec.cluster_name, place_of(found.spec) is Place.HERE
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    if how.detached:
        text = _detached(text, how, _stopping(name, here=here))
    if here:
        code = _run_here(name, text)
    else:
        with head_of(found) as reach, forwarding(reach, how.ports):
            code = run_on(reach, text, on_host=on_host)
    if how.detached:
        _tell_where(name, how, here=here, code=code)
    elif how.stop:
        _take_down(found)
    return code


def _tell_where(cluster: str, how: How, *, here: bool, code: int) -> None:
    kind = "screen" if how.screen else "tmux"
    if code:
        click.echo(f"it was not begun: is {kind} installed there?", err=True)
    else:
        own = "screen -r" if how.screen else "tmux attach"
        look = own if here else f"raytui attach {cluster} --{kind}"
        click.echo(f"it runs on; look at it: {look}", err=True)


def run_on(reach: AnyReach, text: str, *, on_host: bool = False) -> int:
    """Run a shell text on a machine, on our terminal if there is one; its exit code."""
    from raytui.backends.login_shell import login_shell

    if on_terminal():
        return on_our_terminal(reach.terminal_argv(login_shell(text), on_host=on_host))
    if on_host or reach.inside is reach.host:
        return reach.host.run_shell(text, on_line=click.echo).exit_code
    return _run_in_container(reach.inside, text)


def _run_in_container(container: CommandRunner, text: str) -> int:
    """What the engine's client has started there does not end with it: it gets a mark."""
    from raytui.backends.marked_processes import end_argv

    mark = secrets.token_hex(8)
    try:
        return container.run_shell(text, env={_MARK: mark}, on_line=click.echo).exit_code
    except (KeyboardInterrupt, SystemExit):
        container.run(end_argv(f"{_MARK}={mark}"), timeout_s=_END_S)
        raise


def on_our_terminal(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run a program with our stdin, stdout and stderr; its exit code, as a shell has it."""
    code = subprocess.run(argv, env=environment).returncode
    return code if code >= 0 else 128 - code


def on_terminal() -> bool:
    """Whether a person is there to type and to see."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _leave(number: int, _: FrameType | None) -> None:
    """An orderly end: what runs over there is ended on the way out."""
    sys.exit(128 + number)


def _run_here(cluster: str, text: str) -> int:
    """In this shell's own environment, with the cluster as Ray's default."""
    from raytui.cli.status import snapshot_now

    environment = {
        **os.environ,
        "RAY_ADDRESS": snapshot_now(cluster).info.gcs_address,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
    }
    return on_our_terminal(["bash", "-c", text], environment)


def _detached(text: str, how: How, stopping: str) -> str:
    """The text as a job of a terminal multiplexer, which keeps a shell open when it is done."""
    # On lines of their own: the text may end with a comment.
    lines = [text, *([stopping] if how.stop else []), "exec bash"]
    shell = f"bash -c {shlex.quote(chr(10).join(lines))}"
    return f"screen -L {how.screen_options} -dm {shell}" if how.screen else f"tmux new -d {shell}"


def _stopping(cluster: str, *, here: bool) -> str:
    from raytui.launcher.reach import program_on_head

    words = ("down", cluster, "-y")
    return shlex.join([sys.executable, "-m", "raytui", *words] if here else program_on_head(*words))


def _take_down(found: Meant) -> None:
    from raytui.cli.steps import printer
    from raytui.launcher import down

    with printer() as on_step:
        down(found.spec, on_step)
