"""`raytui info`: where things are and what is installed."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

import click

from raytui import __version__


@click.command()
def info() -> None:
    """Print versions, paths and known clusters."""
    from raytui.config.locations import config_root, packaged, state_root

    rows = [
        ("raytui", __version__),
        ("python", f"{sys.version.split()[0]} ({sys.executable})"),
        ("ray", _installed("ray")),
        ("textual", _installed("textual")),
        ("state", str(state_root())),
        ("config", str(config_root())),
        ("examples", str(packaged("examples"))),
        ("themes", str(packaged("themes"))),
    ]
    for name, value in rows:
        click.echo(f"{name:<9} {value}")
    click.echo("clusters")
    for line in _clusters():
        click.echo(f"  {line}")


def _clusters() -> list[str]:
    from raytui.autoscaler.daemon.actor_lock import holder
    from raytui.cli.drivers import ray_client_lines
    from raytui.config.launched import recall
    from raytui.config.locations import ClusterPaths, known_clusters

    lines = []
    for name in known_clusters():
        paths = ClusterPaths(name)
        spec, held = recall(paths), holder(paths.lock)
        state = "launched" if spec is not None else "down"
        who = f", {held.what} pid {held.pid}" if held is not None else ""
        source = f"  {spec.source}" if spec is not None and spec.source else ""
        lines.append(f"{name:<16} {state}{who}{source}  {paths.dir}")
        lines += [f"{'':<16} {line}" for line in (ray_client_lines(spec, paths) if spec else ())]
    return lines or ["none"]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
