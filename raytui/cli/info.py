"""`raytui info`: every path and every version in use, and what the terminal is."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from raytui import __version__

if TYPE_CHECKING:
    from raytui.config.locations import ClusterPaths

_TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "LANG", "LC_ALL", "TEXTUAL_COLOR_SYSTEM", "TMUX")
_ABSENT = "not installed"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same as one JSON object.")
def info(as_json: bool) -> None:
    """Print versions, paths, the terminal and known clusters."""
    told: dict[str, Any] = {
        "versions": _versions(),
        "paths": _paths(),
        "terminal": _terminal(),
        "clusters": _clusters(),
    }
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(told).decode())
        return
    for title in ("versions", "paths", "terminal"):
        click.echo(title)
        for name, value in told[title].items():
            click.echo(f"  {name:<21} {_text(value)}")
    click.echo("clusters")
    for line in _cluster_lines(told["clusters"]):
        click.echo(f"  {line}")


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, requires, version

    def installed(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return _ABSENT

    try:
        needed = sorted({_name(line) for line in requires("raytui") or () if _is_used(line)})
    except PackageNotFoundError:  # run from a folder, without having been installed
        needed = ["msgspec", "textual"]
    return {
        "raytui": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "ray": installed("ray"),
        **{name: installed(name) for name in needed if name not in ("ray", "raytui")},
    }


def _is_used(requirement: str) -> bool:
    """Not by those alone who work on raytui."""
    return 'extra == "dev"' not in requirement.replace("'", '"')


def _name(requirement: str) -> str:
    """`aiohttp` of `aiohttp>=3.9; extra == "web"`."""
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
    return requirement[:end]


def _paths() -> dict[str, str]:
    from raytui.config import locations
    from raytui.config.settings_file import settings_file
    from raytui.config.views import views_file

    settings = settings_file()
    return {
        "settings": f"{settings}" + ("" if settings.exists() else "  (not there)"),
        "themes of your own": str(locations.config_root() / "themes"),
        "themes": str(locations.packaged("themes")),
        "state of clusters": str(locations.state_root()),
        "views": str(views_file()),
        "cache": str(locations.cache_root()),
        "examples": str(locations.packaged("examples")),
    }


def _terminal() -> dict[str, Any]:
    from raytui.config.settings_file import read_settings
    from raytui.config.terminal_abilities import colours, shows_unicode

    size = shutil.get_terminal_size((0, 0))
    return {
        **{name: os.environ[name] for name in _TERMINAL if name in os.environ},
        "is a terminal": sys.stdout.isatty(),
        "columns": size.columns,
        "lines": size.lines,
        "colours": colours(),
        "unicode": shows_unicode(read_settings().unicode),
    }


def _clusters() -> list[dict[str, Any]]:
    from raytui.autoscaler.daemon.actor_lock import holder
    from raytui.cli.drivers import ray_client_lines
    from raytui.config.launched import recall
    from raytui.config.locations import ClusterPaths, known_clusters

    found = []
    for name in known_clusters():
        paths = ClusterPaths(name)
        spec, held = recall(paths), holder(paths.lock)
        found.append(
            {
                "name": name,
                "launched": spec is not None,
                "source": (spec.source or "") if spec is not None else "",
                "daemon": f"{held.what} pid {held.pid}" if held is not None else "",
                "state": str(paths.dir),
                "log": str(paths.log),
                "socket": _socket(paths),
                "drivers": list(ray_client_lines(spec, paths)) if spec is not None else [],
            }
        )
    return found


def _socket(paths: ClusterPaths) -> str:
    try:
        return str(paths.socket)
    except OSError as error:  # its directory is somebody else's
        return f"none: {error}"


def _cluster_lines(clusters: list[dict[str, Any]]) -> list[str]:
    lines = []
    for one in clusters:
        state = "launched" if one["launched"] else "down"
        who = f", {one['daemon']}" if one["daemon"] else ""
        source = f"  {one['source']}" if one["source"] else ""
        lines.append(f"{one['name']:<16} {state}{who}{source}  {one['state']}")
        lines += [f"{'':<16} {key} {one[key]}" for key in ("log", "socket")]
        lines += [f"{'':<16} {line}" for line in one["drivers"]]
    return lines or ["none"]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
