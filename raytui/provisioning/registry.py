"""Which backend serves which `provider.type` of the cluster YAML."""

from __future__ import annotations

from raytui.backends.abilities import HeadProvider
from raytui.backends.base import ConfigError
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec

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
