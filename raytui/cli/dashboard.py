"""`raytui dashboard`, and the way to a cluster's dashboard for all that need it."""

from __future__ import annotations

import contextlib
import threading
import webbrowser
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from raytui.cli.cluster import cluster_argument, converse, first_snapshot, reachable
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed
from raytui.cli.machine import head_of
from raytui.cli.ray_flags import rays_flags

if TYPE_CHECKING:
    from raytui.cli.machine import AnyReach

_RAYS_PORT = 8265


@click.command()
@cluster_argument
@click.option(
    "-p",
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of this machine.  [default: the dashboard's own, or a free one]",
)
@click.option(
    "--remote-port",
    type=click.IntRange(1, 65535),
    help="Port on the head.  [default: as its daemon says, else 8265]",
)
@click.option("--open", "browse", is_flag=True, help="Open it in a browser.")
@rays_flags
def dashboard(cluster: str | None, port: int | None, remote_port: int | None, browse: bool) -> None:
    """Make Ray's dashboard reachable from here until Ctrl-C, and print its URL.

    That of a cluster on this machine is reachable already: its URL is printed, and that is all.
    """
    from raytui.launcher.place import Place, place_of
    from raytui.ray.base import RayError
    from raytui.ray.dashboard import call

    elsewhere = place_of(reachable(cluster).spec) is not Place.HERE
    with dashboard_of(cluster, local_port=port, remote_port=remote_port) as url:
        try:
            call(url, "/api/version")
        except RayError as error:
            raise CommandFailed(
                ExitCode.UNREACHABLE,
                f"no dashboard answers there; Ray's head starts one if ray[default] is installed "
                f"({error})",
            ) from None
        click.echo(url)
        if browse:
            webbrowser.open(url)
        if elsewhere:
            click.echo("it can be reached until Ctrl-C", err=True)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()


@contextlib.contextmanager
def dashboard_of(
    cluster: str | None, *, local_port: int | None = 0, remote_port: int | None = None
) -> Iterator[str]:
    """URL of the cluster's dashboard as long as the context lasts.

    `local_port` is for one elsewhere: 0 is any free port, None the port that it has there, if that
    is free here. Raises what the ways to the cluster raise.
    """
    from raytui.launcher.place import Place, place_of

    found = reachable(cluster)
    if place_of(found.spec) is Place.HERE:
        yield _here(cluster)
        return
    # Errors of the way there have better words than a silent port.
    with head_of(found) as reach, contextlib.ExitStack() as stack:
        there = remote_port or reach.dashboard_port or _port_there(cluster)
        port = stack.enter_context(_forwarded(reach, there, local_port))
        yield f"http://127.0.0.1:{port}"


def _here(cluster: str | None) -> str:
    from raytui.cli.status import snapshot_now

    url = snapshot_now(cluster).info.dashboard_url
    if not url:
        raise CommandFailed(ExitCode.UNREACHABLE, "this cluster has no dashboard")
    return url


def _port_there(cluster: str | None) -> int:
    from raytui.client.base import ClientError

    try:
        url = converse(cluster, first_snapshot).info.dashboard_url
    except ClientError:
        return _RAYS_PORT  # Its dashboard may be there all the same.
    return urlsplit(url).port or _RAYS_PORT


@contextlib.contextmanager
def _forwarded(reach: AnyReach, there: int, here: int | None) -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(reach.forward(there, there if here is None else here))
        except OSError as error:
            if here is not None:
                raise CommandFailed(
                    ExitCode.FAILED, f"port {here} cannot be had on this machine: {error.strerror}"
                ) from None
            port = stack.enter_context(reach.forward(there))
        yield port
