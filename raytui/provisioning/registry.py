"""Which backend serves which `provider.type` of the cluster YAML."""

from __future__ import annotations

from typing import Protocol

from raytui.backends.base import ConfigError, NodeProvider
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec


class HeadProvider(NodeProvider, Protocol):
    """A NodeProvider that also knows how its head is reached."""

    def head_address(self) -> str:
        """`ip:port` of the head's GCS; empty when there is no head or it is not known yet."""
        ...

    def dashboard_url(self) -> str:
        """`http://host:port` of the head's dashboard; empty when there is none."""
        ...


_PLANNED = ("aws", "local", "kuberay")


def provider_for(spec: ClusterSpec, paths: ClusterPaths) -> HeadProvider:
    """The machines of a cluster; raises ConfigError when nothing serves its provider type yet."""
    kind = spec.provider.type
    if kind == "fake_multinode":
        from raytui.backends.local import LocalProvider

        return LocalProvider(spec, paths)
    later = " yet" if kind in _PLANNED else ""
    raise ConfigError(
        f"raytui {spec.cluster_name}: provider type {kind} cannot be launched{later}; "
        "fake_multinode (real Ray nodes on this machine) can"
    )
