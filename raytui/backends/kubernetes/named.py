"""A RayCluster that somebody names, as a ClusterSpec that knows the way back to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from raytui.backends.base import ConfigError, ProviderError
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.access import Access, contexts, opened
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.manifest import parse_manifest, spec_of
from raytui.backends.kubernetes.session import KubeSession
from raytui.config.kube_address import KubeAddress, KubeAddressError, read_address
from raytui.model.spec import ClusterSpec, ProviderSpec

_IN_POD = "KUBERNETES_SERVICE_HOST"


def access_of(spec: ClusterSpec) -> Access:
    """Where the RayCluster of a spec is, and as whom it is reached."""
    options = spec.provider.options
    return Access(
        kubeconfig=str(options.get("kubeconfig") or ""),
        context=str(options.get("context") or ""),
        namespace=str(options.get("namespace") or ""),
    )


def address_of(spec: ClusterSpec) -> KubeAddress:
    """Its address, which is the same from any kubectl context."""
    access = access_of(spec)
    return KubeAddress(spec.cluster_name, access.namespace, access.context)


def access_to(context: str = "", namespace: str = "") -> Access:
    """The access that kubectl would take, spelled out; raises ConfigError when there is none.

    The context stays empty in a pod: there is only the pod's own cluster.
    """
    if not context and not os.environ.get(_IN_POD):
        context = next((one.name for one in contexts() if one.is_current), "")
    if not namespace:
        namespace = opened(Access(context=context)).namespace
    return Access(context=context, namespace=namespace)


def cluster_at(target: str) -> ClusterSpec:
    """The RayCluster at an address, read now; raises ConfigErrors and ProviderError."""
    try:
        address = read_address(target)
    except KubeAddressError as error:
        raise ConfigError(str(error)) from error
    access = access_to(address.context, address.namespace)
    return live(KubeSession(access), address.name, access)


def live(session: KubeSession, name: str, access: Access) -> ClusterSpec:
    """A RayCluster as it is now; raises as `cluster_at`."""
    try:
        resource = session.get(cluster_api.path_of(access.namespace, name))
    except NotFoundError as error:
        raise _missing(session, name, access, error) from error
    return reached_through(spec_of(resource), access.context, access.namespace)


def cluster_in(path: str, text: str | bytes, context: str = "", namespace: str = "") -> ClusterSpec:
    """The RayCluster of a manifest file, which need not be on Kubernetes yet.

    A namespace that is given goes before the file's, as in no other case two are meant. Raises
    ConfigErrors and ProviderError.
    """
    spec = parse_manifest(text, path)
    own = str(spec.provider.options.get("namespace") or "")
    access = access_to(context, namespace or own)
    spec = reached_through(spec, access.context, access.namespace)
    return replace(spec, source=str(Path(path).absolute()))


def reached_through(spec: ClusterSpec, context: str, namespace: str) -> ClusterSpec:
    """The spec of a RayCluster with the way to it."""
    options: dict[str, Any] = {**spec.provider.options, "context": context, "namespace": namespace}
    return replace(spec, provider=ProviderSpec(spec.provider.type, options))


def _missing(
    session: KubeSession, name: str, access: Access, error: NotFoundError
) -> ProviderError:
    """What there is instead of a RayCluster that is not there."""
    where = f"namespace {access.namespace}" + (f" of {access.context}" if access.context else "")
    try:
        found = session.items(cluster_api.path_of(access.namespace, "").rstrip("/"))
    except NotFoundError:
        return no_kind(access)
    except ProviderError:
        return error  # it may be that only this one may be read
    known = ", ".join(sorted(one["metadata"]["name"] for one in found)) or "none"
    return NotFoundError(
        f"there is no RayCluster {name} in {where}; there: {known} (raytui k8s -A lists all)"
    )


def no_kind(access: Access) -> NotFoundError:
    """What to say where RayCluster is no kind of object at all."""
    where = f"context {access.context}" if access.context else "this Kubernetes cluster"
    return NotFoundError(
        f"{where} knows no RayClusters: install KubeRay, or raytui's own operator "
        "(charts/raytui-operator), first"
    )
