"""Which backend serves which `provider.type` of the cluster YAML."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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


@runtime_checkable
class WorksInBackground(Protocol):
    """What a provider does besides when it sets machines up."""

    def start(self) -> None:
        """Set nodes up from now on, and go on with what an earlier process left undone."""
        ...

    def close(self) -> None:
        """End what is under way on machines; nodes stay as they are."""
        ...


@runtime_checkable
class KnowsItsMachines(Protocol):
    """A provider that completes the cluster file by what its machines have."""

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """The spec with the resources that it leaves open, as far as they are known.

        May take 20 s while machines are asked that nothing is known of.
        """
        ...

    def notices(self) -> list[str]:
        """What a person should know of the machines."""
        ...

    def clean(self) -> list[str]:
        """End what ended nodes have left where it could not be ended before.

        Returns the machines where it still cannot, with why; takes at most 20 s.
        """
        ...


_PLANNED = ("aws", "kuberay")


def provider_for(spec: ClusterSpec, paths: ClusterPaths) -> HeadProvider:
    """The machines of a cluster, for the machine that drives them.

    Raises ConfigError when nothing serves its provider type yet, and for a cluster whose machines
    are driven from its head when this is not the head.
    """
    kind = spec.provider.type
    if kind == "fake_multinode":
        from raytui.backends.local import LocalProvider

        return LocalProvider(spec, paths)
    if kind == "local" and spec.on_head:
        from raytui.backends.on_premise.machines import OnPremMachines
        from raytui.provisioning.provisioner import Provisioner

        return Provisioner(spec, OnPremMachines(spec, paths), paths)
    if kind == "local":
        raise ConfigError(
            f"raytui {spec.cluster_name}: its autoscaler runs on its head; bring it up with "
            f"`raytui up {spec.source or 'FILE'}`, look at it with `raytui {spec.cluster_name}`"
        )
    later = " yet" if kind in _PLANNED else ""
    raise ConfigError(
        f"raytui {spec.cluster_name}: provider type {kind} cannot be launched{later}; local "
        "(hosts reached by SSH) and fake_multinode (real Ray nodes on this machine) can"
    )


def filled(provider: NodeProvider, spec: ClusterSpec) -> ClusterSpec:
    """The spec with what the provider knows of its machines and the file leaves open."""
    return provider.fill(spec) if isinstance(provider, KnowsItsMachines) else spec


def notices_of(provider: NodeProvider) -> list[str]:
    """What a person should know of the provider's machines."""
    return provider.notices() if isinstance(provider, KnowsItsMachines) else []


def cleaned(provider: NodeProvider) -> list[str]:
    """What still could not be cleaned of ended nodes, after one more try."""
    return provider.clean() if isinstance(provider, KnowsItsMachines) else []
