"""`raytui demo`: the packaged laptop cluster with work for it, or a simulated one of any size."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from raytui.cli.exit_codes import ExitCode
from raytui.cli.on_screen import has_screen
from raytui.cli.own_settings import own_settings

if TYPE_CHECKING:
    from raytui.config.locations import ClusterPaths
    from raytui.config.settings import Settings
    from raytui.model.spec import ClusterSpec
    from raytui.model.step import StepSink

_WORK = "work: a sample job of tasks, then a placement group, then GPU actors"
_QUESTION = "The demo's cluster runs on this machine. Keep it, or take it down?"


@click.command()
@click.option("--nodes", type=click.IntRange(1, 100_000), help="Simulate N nodes, without Ray.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the simulation.")
@click.option("--read-only", is_flag=True, help="With --nodes: refuse every command.")
@click.option("--theme", metavar="NAME", help="Colours for this time.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
def demo(nodes: int | None, seed: int, read_only: bool, theme: str | None, no_mouse: bool) -> int:
    """Start a real Ray cluster on this machine, give it work, and watch it grow and shrink.

    Without a terminal the same story is told in lines, and the cluster is taken down at its end.
    With --nodes N a simulated cluster of N nodes is shown instead: no Ray, nothing started.
    """
    on_terminal = has_screen()
    if nodes is not None:
        from raytui.cli.demo_simulated import print_simulated, show_simulated

        if on_terminal:
            settings = own_settings(theme=theme, no_mouse=no_mouse)
            return show_simulated(nodes, seed, settings, read_only=read_only)
        return print_simulated(nodes, seed)
    if read_only:
        raise click.UsageError("--read-only is for a simulated cluster: --nodes N")
    from raytui.config.cluster import load_cluster
    from raytui.config.locations import ClusterPaths, packaged

    spec = load_cluster(packaged("examples") / "laptop.yaml")
    paths = ClusterPaths(spec.cluster_name)
    if on_terminal:
        return _show(spec, paths, own_settings(theme=theme, no_mouse=no_mouse))
    from raytui.cli.demo_story import tell_story

    return tell_story(spec, paths)


def _show(spec: ClusterSpec, paths: ClusterPaths, settings: Settings) -> int:
    from raytui.app import DOWN, RaytuiApp
    from raytui.cli.demo_work import start_work
    from raytui.cli.launching import LaunchHere
    from raytui.cli.open import description, running
    from raytui.cli.steps import StepPrinter
    from raytui.client.reached import client_for
    from raytui.launcher import down, up

    def bring_up(sink: StepSink) -> None:
        up(spec, sink)
        start_work(spec, paths, sink)

    if running(spec, paths):
        with StepPrinter(sys.stderr) as printer:
            start_work(spec, paths, printer)
        app = RaytuiApp(client_for(spec, paths), on_quit_question=_QUESTION, settings=settings)
    else:
        app = RaytuiApp(
            None,
            launch=LaunchHere(bring_up, lambda: client_for(spec, paths)),
            launch_title=f"{description(spec)}\n{_WORK}",
            on_quit_question=_QUESTION,
            settings=settings,
        )
    answer = app.run(mouse=settings.mouse)
    if answer == DOWN:
        with StepPrinter(sys.stderr) as printer:
            down(spec, printer)
    elif app.launch_error is not None:
        return ExitCode.FAILED
    elif app.session is not None:
        click.echo(f"{spec.cluster_name} keeps running; end it: raytui down", err=True)
    return ExitCode.OK
