"""A RayCluster that somebody names, as a ClusterSpec that knows the way back to it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from raytui.backends.base import ConfigError
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.manifest import spec_of
from raytui.backends.kubernetes.session import KubeSession
from raytui.config.kube_address import KubeAddressError, read_address
from raytui.model.spec import ClusterSpec, ProviderSpec


def access_of(spec: ClusterSpec) -> Access:
    """Where the RayCluster of a spec is, and as whom it is reached."""
    options = spec.provider.options
    return Access(
        kubeconfig=str(options.get("kubeconfig") or ""),
        context=str(options.get("context") or ""),
        namespace=str(options.get("namespace") or ""),
    )


def cluster_at(target: str) -> ClusterSpec:
    """The RayCluster at an address, read now; raises ConfigErrors and ProviderError."""
    try:
        address = read_address(target)
    except KubeAddressError as error:
        raise ConfigError(str(error)) from error
    session = KubeSession(Access(context=address.context, namespace=address.namespace))
    namespace = address.namespace or session.namespace
    resource = session.get(cluster_api.path_of(namespace, address.name))
    return reached_through(spec_of(resource), address.context, namespace)


def reached_through(spec: ClusterSpec, context: str, namespace: str) -> ClusterSpec:
    """The spec of a RayCluster with the way to it."""
    options: dict[str, Any] = {**spec.provider.options, "context": context, "namespace": namespace}
    return replace(spec, provider=ProviderSpec(spec.provider.type, options))
