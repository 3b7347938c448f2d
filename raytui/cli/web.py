"""`raytui web`: the same screens in a browser on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence

import click

from raytui.cli.cluster import cluster_argument, reachable, target_of
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed
from raytui.cli.kube_place import kubernetes_options

PORT = 8275


@click.command()
@cluster_argument
@kubernetes_options
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="On 127.0.0.1; 0: any free one.",
)
@click.option("--allow-actions", is_flag=True, help="Let the browser change the cluster.")
@click.option("--no-open", is_flag=True, help="Do not open a browser; print the link only.")
@click.option("--demo", type=click.IntRange(1, 100_000), metavar="N", help="Simulate N nodes.")
def web(
    cluster: str | None, port: int, allow_actions: bool, no_open: bool, demo: int | None
) -> int:
    """Serve the screens of CLUSTER to a browser on this machine, until Ctrl-C.

    Read-only unless --allow-actions. The printed link is good for one browser, once. Only this
    machine can connect; from elsewhere forward the port: ssh -L 8275:127.0.0.1:8275 HOST.
    """
    if demo is not None:
        if cluster is not None:
            raise click.UsageError("either CLUSTER or --demo, not both")
        title, words = f"simulated-{demo}", ["demo", "--nodes", str(demo)]
    else:
        title, words = reachable(cluster).spec.cluster_name, ["open", target_of(cluster)]
    if not allow_actions:
        words.append("--read-only")
    return _serve([sys.executable, "-m", "raytui", *words], title, port, wants_browser=not no_open)


def _serve(argv: Sequence[str], title: str, port: int, *, wants_browser: bool) -> int:
    try:
        from raytui.web.gate import Gate
        from raytui.web.opening import has_browser, open_page, page_with
        from raytui.web.server import WebServer, listening
    except ModuleNotFoundError as error:
        hint = "the browser needs textual-serve: pip install 'raytui[web]'"
        raise CommandFailed(ExitCode.USAGE, hint) from error
    try:
        taken = listening(port)
    except OSError as error:
        words = f"port {port} of 127.0.0.1: {error.strerror}; name another: --port N"
        raise CommandFailed(ExitCode.FAILED, words) from error
    gate = Gate(taken.getsockname()[1])
    with contextlib.ExitStack() as while_served:

        def ready() -> None:
            click.echo(gate.link)
            click.echo(f"{title}: the link is good for one browser, once; end: Ctrl-C", err=True)
            if wants_browser and has_browser():
                open_page(while_served.enter_context(page_with(gate.link)))

        asyncio.run(WebServer(argv, title, gate).serve(taken, ready))
    return ExitCode.OK
