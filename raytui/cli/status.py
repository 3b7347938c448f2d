"""`raytui status`: the cluster as it stands, once, or with all that changes from then on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import client_of, cluster_argument, first_snapshot, reachable
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import unreachable
from raytui.cli.kube_place import kubernetes_options

if TYPE_CHECKING:
    from raytui.config.locations import ClusterPaths
    from raytui.model.snapshot import Snapshot
    from raytui.model.spec import ClusterSpec

_WATCH_EVERY_S = 1.0


class _Status(click.Command):
    """Takes `--watch` with or without a number; what follows may also be the cluster."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_with_seconds(args)))


@click.command(cls=_Status)
@cluster_argument
@kubernetes_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as docs/json.md says.")
@click.option(
    "--watch",
    "every_s",
    type=click.FloatRange(0.1),
    metavar="[SECONDS]",
    help="Go on with what changes, at most once in SECONDS (1), until Ctrl-C.",
)
def status(cluster: str | None, as_json: bool, every_s: float | None) -> int:
    """Print what runs, what waits and why, what failed, and what it costs.

    With --watch then a line with a time for every change; nothing is drawn over, for logs and
    screen readers. With --watch and --json, one object a line. Without a daemon it says what
    provider and Ray say.
    """
    if every_s is None:
        click.echo(json_of(snapshot_now(cluster)) if as_json else text_of(cluster))
        return ExitCode.OK
    from raytui.cli.status_watch import Objects, Plain, watch

    client = client_of(cluster, read_only=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(watch(client, Objects() if as_json else Plain(), every_s))
    return ExitCode.OK


def _with_seconds(args: list[str]) -> Iterator[str]:
    for word, after in pairwise([*args, ""]):
        if word != "--watch" or _is_number(after):
            yield word
        else:
            yield f"--watch={_WATCH_EVERY_S:g}"


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def text_of(cluster: str | None) -> str:
    """The status for people, with the way for drivers; exit code 3 if there is none."""
    from raytui.cli.drivers import ray_client_lines
    from raytui.cli.report_text import status_text

    snapshot = snapshot_now(cluster)
    spec, paths, _ = reachable(cluster)
    return status_text(snapshot, ray_client_lines(spec, paths))


def json_of(snapshot: Snapshot) -> str:
    """One object on one line, as docs/json.md says."""
    from raytui.cli.report import report_of
    from raytui.model.codec import encode

    return encode(report_of(snapshot)).decode()


def snapshot_now(cluster: str | None) -> Snapshot:
    """One snapshot, from the daemon or, when it is dead here, without it; exit code 3 if none."""
    from raytui.client.base import ClientError
    from raytui.launcher.place import Place, place_of

    try:
        return asyncio.run(_first_snapshot(cluster))
    except ClientError as error:
        spec, paths, _ = reachable(cluster)
        if place_of(spec) is not Place.HERE:
            raise
        snapshot = _unattended(spec, paths)
        if snapshot is None:
            raise unreachable(f"{error}, and no node of the cluster is there") from None
        return snapshot


async def _first_snapshot(cluster: str | None) -> Snapshot:
    client = client_of(cluster, read_only=True)
    try:
        return await first_snapshot(client)
    finally:
        await client.close()


def _unattended(spec: ClusterSpec, paths: ClusterPaths) -> Snapshot | None:
    from raytui.autoscaler.loop.unattended import observe_unattended

    return observe_unattended(spec, paths)
