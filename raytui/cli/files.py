"""`raytui rsync-up` and `rsync-down`: files to and from the machines of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raytui.cli.cluster import Meant
from raytui.cli.exit_codes import ExitCode
from raytui.cli.machine import address_of, elsewhere, head_of, worker_of, workers_of
from raytui.cli.ray_flags import rays_flags

if TYPE_CHECKING:
    from raytui.backends.base import Filters
    from raytui.cli.machine import AnyReach
    from raytui.model.snapshot import Row
    from raytui.model.spec import ClusterSpec

_NOT_HERE = "its nodes see this one's files"
_AT_ONCE = 16


@click.command("rsync-up")
@click.argument("cluster")
@click.argument("source", required=False)
@click.argument("target", required=False)
@click.option("-A", "--all-nodes", is_flag=True, help="To the workers, too.")
@rays_flags
def rsync_up(cluster: str, source: str | None, target: str | None, all_nodes: bool) -> int:
    """Copy SOURCE of this machine to TARGET on the head of CLUSTER; without both, file_mounts.

    rsync's rules: a `/` at the end of SOURCE means what is in it, and `rsync_exclude` and
    `rsync_filter` of the cluster file count. In docker mode TARGET is in the container.
    """
    from raytui.provisioning.target import cluster_of

    if (source is None) != (target is None):
        raise click.UsageError("either SOURCE and TARGET, or neither")
    found = elsewhere(cluster, _NOT_HERE)
    # As the file reads now: it may have got more since the launch.
    pairs = [(source, target)] if source and target else _mounts(cluster_of(cluster))
    if not pairs:
        raise click.UsageError(f"{found.spec.cluster_name} has no file_mounts; name what to copy")
    with head_of(found) as reach:
        _put(reach, pairs, _filters(found.spec))
    click.echo(f"{reach.address}: copied", err=True)
    return _to_workers(found, workers_of(cluster), pairs) if all_nodes else ExitCode.OK


@click.command("rsync-down")
@click.argument("cluster")
@click.argument("source")
@click.argument("target")
@rays_flags
def rsync_down(cluster: str, source: str, target: str) -> None:
    """Copy SOURCE on the head of CLUSTER to TARGET of this machine, as rsync-up the other way."""
    found = elsewhere(cluster, _NOT_HERE)
    with head_of(found) as reach:
        reach.inside.get(source, target, filters=_filters(found.spec))


def _to_workers(found: Meant, workers: Sequence[Row], pairs: Sequence[tuple[str, str]]) -> int:
    """To each, side by side; what fails is told and the others go on."""
    from raytui.backends.base import ProviderError

    filters = _filters(found.spec)

    def copy(row: Row) -> str:
        try:
            with worker_of(found, row) as reach:
                _put(reach, pairs, filters)
        except ProviderError as error:
            return str(error)
        return ""

    failed = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for row, error in zip(workers, pool.map(copy, workers), strict=True):
            failed += bool(error)
            click.echo(error or f"{address_of(row)}: copied", err=True)
    return ExitCode.FAILED if failed else ExitCode.OK


def _put(reach: AnyReach, pairs: Sequence[tuple[str, str]], filters: Filters) -> None:
    for source, target in pairs:
        reach.inside.put(source, target, filters=filters)


def _mounts(spec: ClusterSpec) -> list[tuple[str, str]]:
    """As the set-up copies them: of a folder what is in it."""
    pairs = []
    for target, source in spec.files.file_mounts.items():
        path = Path(source).expanduser()
        slash = "/" if path.is_dir() else ""
        pairs.append((f"{path}{slash}", target.rstrip("/") + slash))
    return pairs


def _filters(spec: ClusterSpec) -> Filters:
    from raytui.backends.base import Filters

    return Filters(spec.files.rsync_exclude, spec.files.rsync_filter)
