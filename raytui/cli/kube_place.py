"""Which Kubernetes context and namespace a command is about."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from raytui.backends.kubernetes.access import Access

F = TypeVar("F", bound=Callable[..., Any])
Given = tuple[str, str]
"""A context and a namespace; empty where nothing was said."""

context_option: Callable[[F], F] = click.option(
    "--context", metavar="NAME", help="Context of the kubeconfig, instead of its current one."
)
namespace_option: Callable[[F], F] = click.option(
    "-n", "--namespace", metavar="NS", help="Namespace, instead of the context's."
)


def here_options(context: str | None, namespace: str | None) -> Given:
    """What was said to a group of commands, for those in it."""
    return (context or "", namespace or "")


def at_place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command of `raytui k8s` the options and hand it an `access`."""

    @context_option
    @namespace_option
    @functools.wraps(command)
    def placed(context: str | None, namespace: str | None, **others: Any) -> Any:
        from raytui.backends.kubernetes.named import access_to

        obj = click.get_current_context().obj
        given: Given = obj if isinstance(obj, tuple) else ("", "")
        return command(access=access_to(context or given[0], namespace or given[1]), **others)

    return placed


def addressed(access: Access, name: str) -> str:
    """The address of a RayCluster there; raises UsageError for what is no name."""
    from raytui.config.kube_address import KubeAddress, KubeAddressError, read_address

    address = str(KubeAddress(name, access.namespace, access.context))
    try:
        read_address(address)
    except KubeAddressError as error:
        raise click.UsageError(str(error)) from None
    return address


def kubernetes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """For commands about a CLUSTER: `--context C -n NS NAME` means that RayCluster."""

    @context_option
    @namespace_option
    @functools.wraps(command)
    def placed(
        cluster: str | None, context: str | None, namespace: str | None, **others: Any
    ) -> Any:
        if context or namespace:
            cluster = _meant(cluster, context or "", namespace or "")
        return command(cluster=cluster, **others)

    return placed


def _meant(cluster: str | None, context: str, namespace: str) -> str:
    from pathlib import Path

    from raytui.backends.kubernetes.manifest import parse_manifest
    from raytui.backends.kubernetes.named import access_to
    from raytui.config.kube_address import is_address

    if cluster is None:
        raise click.UsageError("--context and --namespace want the name of a RayCluster")
    if is_address(cluster):
        raise click.UsageError(f"{cluster} says already where it is")
    if Path(cluster).is_file():
        spec = parse_manifest(Path(cluster).read_bytes(), cluster)
        own = str(spec.provider.options.get("namespace") or "")
        return addressed(access_to(context, namespace or own), spec.cluster_name)
    return addressed(access_to(context, namespace), cluster)
