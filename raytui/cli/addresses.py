"""`raytui get-head-ip` and `get-worker-ips`: addresses for scripts, one a line."""

from __future__ import annotations

import click

from raytui.cli.cluster import cluster_argument, reachable
from raytui.cli.exit_codes import ExitCode
from raytui.cli.failures import CommandFailed
from raytui.cli.machine import address_of, workers_of
from raytui.cli.ray_flags import rays_flags


@click.command("get-head-ip")
@cluster_argument
@rays_flags
def get_head_ip(cluster: str | None) -> None:
    """Print the address of the head of CLUSTER, as it is reached from here."""
    from raytui.cli.status import snapshot_now
    from raytui.launcher.head_place import head_place
    from raytui.launcher.place import Place, place_of

    spec, paths, _ = reachable(cluster)
    match place_of(spec):
        case Place.HEAD:
            click.echo(head_place(spec, paths).address)
            return
        case Place.KUBERNETES:
            from raytui.launcher.pod_reach import head_ip

            click.echo(head_ip(spec))
            return
    address = snapshot_now(cluster).info.gcs_address
    if not address:
        raise CommandFailed(ExitCode.UNREACHABLE, f"no head of {spec.cluster_name} is running")
    click.echo(address.rpartition(":")[0])


@click.command("get-worker-ips")
@cluster_argument
@rays_flags
def get_worker_ips(cluster: str | None) -> None:
    """Print the addresses of the workers of CLUSTER, those included that are being set up."""
    for row in workers_of(cluster):
        click.echo(address_of(row))
