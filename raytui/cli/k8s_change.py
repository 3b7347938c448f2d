"""`raytui k8s create`, `scale` and `delete`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from raytui.cli.kube_place import addressed, at_place

if TYPE_CHECKING:
    from raytui.backends.kubernetes.access import Access

_name = click.argument("name")


@click.command()
@_name
@click.option("-w", "--worker-group", default="", metavar="GROUP", help="May be left out if alone.")
@click.option("-r", "--replicas", type=click.IntRange(0), required=True, help="How many.")
@at_place
def scale(access: Access, name: str, worker_group: str, replicas: int) -> None:
    """Set how many replicas a worker group of RayCluster NAME has, between its limits.

    Where an autoscaler scales the cluster, it goes on from there. Of pods that are too many KubeRay
    deletes any, busy or not; `raytui terminate` drains those that you name.
    """
    from raytui.backends.kubernetes.replicas import set_replicas
    from raytui.backends.kubernetes.session import KubeSession

    session = KubeSession(access)
    addressed(access, name)
    done = set_replicas(session, access.namespace, name, worker_group, replicas)
    if done.before == replicas:
        click.echo(f"{done.group} of {name} is to have {replicas} replicas already", err=True)
    else:
        click.echo(f"{done.group} of {name}: {done.before} → {replicas} replicas", err=True)
    for words in _what_an_autoscaler_does(session, access, name, by_ray=done.is_autoscaled):
        click.echo(words, err=True)


def _what_an_autoscaler_does(session: Any, access: Access, name: str, *, by_ray: bool) -> list[str]:
    from raytui.backends.base import ProviderError
    from raytui.backends.kubernetes.driver import drivers_of

    try:
        by_raytui = bool(drivers_of(session, access.namespace, name).pods)
    except ProviderError:
        by_raytui = False
    if by_raytui:
        return [
            "raytui scales it: what it does not need it takes away again; to keep workers: "
            f"raytui scale -c {addressed(access, name)} GROUP N"
        ]
    return (
        ["Ray's own autoscaler scales it: it may undo this; minReplicas is what it keeps"]
        if by_ray
        else []
    )


@click.command()
@_name
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--no-wait", is_flag=True, help="Do not wait until its pods are gone.")
@at_place
def delete(access: Access, name: str, yes: bool, no_wait: bool) -> None:
    """Delete RayCluster NAME: its head, all workers and what runs on them."""
    from raytui.backends.kubernetes.raycluster import path_of
    from raytui.backends.kubernetes.session import KubeSession
    from raytui.cli.exit_codes import ExitCode
    from raytui.cli.failures import CommandFailed
    from raytui.cli.steps import printer
    from raytui.launcher import down
    from raytui.provisioning.target import cluster_of

    address = addressed(access, name)
    spec = cluster_of(address)
    if not yes and not sys.stdin.isatty():
        raise CommandFailed(ExitCode.USAGE, "nobody is here to be asked; -y deletes it")
    if not yes:
        click.confirm(f"Delete {address} and all its pods?", abort=True, err=True)
    if no_wait:
        KubeSession(access).delete(path_of(access.namespace, name))
    else:
        with printer() as on_step:
            down(spec, on_step)
    click.echo(f"{address} is {'being deleted' if no_wait else 'gone'}", err=True)


@click.command()
@click.argument("name", required=False)
@click.option("-f", "--file", type=click.Path(exists=True, dir_okay=False), help="A manifest.")
@click.option("--image", help="Of Ray.  [default: rayproject/ray of the version]")
@click.option("--ray-version", help="Ray's.  [default: what is installed here]")
@click.option("--head-cpu", default="2", show_default=True)
@click.option("--head-memory", default="4Gi", show_default=True)
@click.option("--head-gpu", default="0", show_default=True)
@click.option("--worker-group", default="default-group", show_default=True)
@click.option("--worker-replicas", type=click.IntRange(0), default=1, show_default=True)
@click.option("--worker-min-replicas", type=click.IntRange(0))
@click.option("--worker-max-replicas", type=click.IntRange(0))
@click.option("--worker-cpu", default="2", show_default=True)
@click.option("--worker-memory", default="4Gi", show_default=True)
@click.option("--worker-gpu", default="0", show_default=True)
@click.option("--autoscale", is_flag=True, help="Set enableInTreeAutoscaling.")
@click.option("--dry-run", is_flag=True, help="Print the manifest, and make nothing.")
@click.option("--wait/--no-wait", default=False, help="Until head and first workers run.")
@at_place
def create(
    access: Access,
    name: str | None,
    file: str | None,
    image: str | None,
    ray_version: str | None,
    dry_run: bool,
    wait: bool,
    **words: Any,
) -> None:
    """Make RayCluster NAME of a head and one worker group, or the one of a manifest.

    Who runs its pods, KubeRay or raytui's operator, is to be there. A RayCluster of the name that
    is there already is left alone: `raytui up FILE` changes it.
    """
    from pathlib import Path

    from raytui.backends.kubernetes.manifest import spec_of
    from raytui.backends.kubernetes.named import cluster_in, reached_through

    if (file is None) == (name is None):
        raise click.UsageError("either NAME or --file")
    if file is not None:
        spec = cluster_in(file, Path(file).read_bytes(), access.context, access.namespace)
        resource = spec.provider.options["resource"]
    else:
        assert name is not None
        addressed(access, name)
        resource = _of_words(name, image, ray_version, words)
        spec = reached_through(spec_of(resource), access.context, access.namespace)
    if dry_run:
        import yaml

        click.echo(yaml.safe_dump(resource, sort_keys=False), nl=False)
        return
    _make(access, resource)
    address = addressed(access, spec.cluster_name)
    click.echo(f"created {address}", err=True)
    if wait:
        from raytui.cli.steps import printer
        from raytui.launcher import up

        with printer() as on_step:
            up(spec, on_step)
    click.echo(f"open it: raytui {address}", err=True)


def _make(access: Access, resource: dict[str, Any]) -> None:
    from raytui.backends.kubernetes.errors import NotFoundError
    from raytui.backends.kubernetes.named import no_kind
    from raytui.backends.kubernetes.raycluster import API
    from raytui.backends.kubernetes.session import KubeSession

    meta = {**resource["metadata"], "namespace": access.namespace}
    path = f"{API}/namespaces/{access.namespace}/rayclusters"
    try:
        KubeSession(access).create(path, {**resource, "metadata": meta})
    except NotFoundError as error:
        if "namespaces" in str(error):
            raise
        raise no_kind(access) from error


def _of_words(
    name: str, image: str | None, ray_version: str | None, words: dict[str, Any]
) -> dict[str, Any]:
    from raytui.backends.kubernetes.plain_cluster import Size, Workers, plain_cluster

    version = ray_version or _rays_version()
    if not image and not version:
        raise click.UsageError("--image or --ray-version: Ray is not installed here to go by")
    return plain_cluster(
        name,
        image or f"rayproject/ray:{version}",
        Size(words["head_cpu"], words["head_memory"], words["head_gpu"]),
        Workers(
            words["worker_group"],
            words["worker_replicas"],
            words["worker_min_replicas"],
            words["worker_max_replicas"],
            Size(words["worker_cpu"], words["worker_memory"], words["worker_gpu"]),
        ),
        ray_version=version,
        is_autoscaled=words["autoscale"],
    )


def _rays_version() -> str:
    """Of the Ray that is installed here, whose drivers would connect; empty without one."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ray")
    except PackageNotFoundError:
        return ""
