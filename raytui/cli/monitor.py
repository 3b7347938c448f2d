"""`raytui monitor`: the log of a cluster's autoscaler, as it is written."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator

import click

from raytui.cli.cluster import Meant, cluster_argument, meant_elsewhere, target_of
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed
from raytui.cli.ray_flags import rays_flags

_LOOK_EVERY_S = 0.25


@click.command()
@cluster_argument
@click.option("--lines", type=click.IntRange(0), default=100, show_default=True, help="To begin.")
@click.option("--follow/--no-follow", default=True, help="Go on until Ctrl-C (the default).")
@click.option("--json", "as_json", is_flag=True, help="Lines as they are: one JSON object each.")
@click.option("--until-eof", is_flag=True, hidden=True, help="End when stdin ends.")
@rays_flags
def monitor(cluster: str | None, lines: int, follow: bool, as_json: bool, until_eof: bool) -> None:
    """Print what the autoscaler of CLUSTER logs, wherever it runs; what was last comes first.

    Works while it is down, too: its last words are in its log.
    """
    from raytui.cli.log_lines import readable

    with contextlib.suppress(KeyboardInterrupt):
        for line in _lines(cluster, lines, follow, until_eof):
            click.echo(line if as_json else readable(line))


def _lines(cluster: str | None, lines: int, follow: bool, until_eof: bool) -> Iterator[str]:
    from raytui.cli.log_lines import last_lines, new_lines
    from raytui.config.locations import ClusterPaths
    from raytui.provisioning.target import name_of

    found = meant_elsewhere(cluster)
    if found is not None:
        yield from _lines_there(found, lines, follow)
        return
    name = name_of(target_of(cluster))
    path = ClusterPaths(name).log
    try:
        log = path.open("rb")
    except FileNotFoundError:
        raise CommandFailed(ExitCode.UNREACHABLE, f"{name} has no log here ({path})") from None
    with log:
        yield from last_lines(path, log, lines)
        if follow:
            yield from new_lines(path, log, lambda: _pause(until_eof))


def _pause(until_eof: bool) -> bool:
    """Wait a moment; False when it is time to end."""
    ready = select.select([sys.stdin] if until_eof else [], [], [], _LOOK_EVERY_S)[0]
    return not ready or bool(os.read(sys.stdin.fileno(), 1 << 16))


def _lines_there(found: Meant, lines: int, follow: bool) -> Iterator[str]:
    """From the head; raises CommandFailed when it cannot be reached."""
    from raytui.cli.on_head import argv_there, name_there
    from raytui.client.head_words import what_head_said
    from raytui.launcher.place import Place, place_of

    spec, paths, _ = found
    words = ["monitor", name_there(spec), "--json", "--lines", str(lines), "--until-eof"]
    argv = argv_there(found, *words, *([] if follow else ["--no-follow"]))
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                yield line.rstrip("\n")
            said = " ".join(process.stderr.read().split())
            code = process.wait()
        finally:
            process.stdin.close()
            process.terminate()
    if code and place_of(spec) is Place.KUBERNETES:
        raise CommandFailed(ExitCode.UNREACHABLE, said)
    if code:
        raise CommandFailed(ExitCode.UNREACHABLE, str(what_head_said(spec, paths, code, said)))
