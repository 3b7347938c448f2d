"""Which backend serves which `provider.type` of the cluster YAML."""

from __future__ import annotations

from raytui.backends.abilities import HeadProvider
from raytui.backends.base import ConfigError, Machines
from raytui.backends.cloud import Cloud
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec


def unheeded(spec: ClusterSpec) -> list[str]:
    """What the cluster file says and nobody here heeds, each in a sentence with what to do."""
    if spec.provider.type == "aws":
        from raytui.backends.aws import keys

        return list(keys.unheeded(spec))
    return []


def completed_offline(spec: ClusterSpec, now: float) -> ClusterSpec:
    """The cluster file with what its machines have and cost, where that is known without asking."""
    if spec.provider.type == "aws":
        from raytui.backends.aws.offline import completed

        return completed(spec, ClusterPaths(spec.state_name).dir, now)
    return spec


def cloud_for(spec: ClusterSpec) -> Cloud | None:
    """Where the head of a cluster elsewhere has to be bought; None where the file names a host."""
    if spec.provider.type == "aws":
        from raytui.backends.aws.cloud import Aws
        from raytui.backends.aws.session import AwsSession

        return Aws(spec, AwsSession(spec.provider.options))
    return None


def machines_for(spec: ClusterSpec, paths: ClusterPaths) -> Machines:
    """The bare machines of a cluster elsewhere, its head's among them where it has to be bought.

    Raises ConfigError when nothing serves its provider type yet.
    """
    kind = spec.provider.type
    if kind == "local":
        from raytui.backends.on_premise.machines import OnPremMachines

        return OnPremMachines(spec, paths)
    if kind == "aws":
        from raytui.backends.aws.machines import Ec2Machines
        from raytui.backends.aws.session import AwsSession
        from raytui.provisioning.node_setup import launch_hash_of

        session = AwsSession(spec.provider.options)
        return Ec2Machines(spec, paths, session, launch_hash_of)
    raise ConfigError(
        f"raytui {spec.cluster_name}: provider type {kind} cannot be launched; aws, local "
        "(hosts reached by SSH) and fake_multinode (real Ray nodes on this machine) can"
    )


def provider_for(spec: ClusterSpec, paths: ClusterPaths) -> HeadProvider:
    """The nodes of a cluster, for the machine that drives them.

    Raises ConfigError as `machines_for` does, and for a cluster whose machines are driven from its
    head when this is not the head.
    """
    if spec.provider.type == "fake_multinode":
        from raytui.backends.local import LocalProvider

        return LocalProvider(spec, paths)
    if spec.provider.type == "kuberay":
        from raytui.backends.kubernetes.named import access_of
        from raytui.backends.kubernetes.provider import KubeRayProvider
        from raytui.backends.kubernetes.session import KubeSession

        return KubeRayProvider(spec, paths, KubeSession(access_of(spec)))
    machines = machines_for(spec, paths)
    if not spec.on_head:
        raise ConfigError(
            f"raytui {spec.cluster_name}: its autoscaler runs on its head; bring it up with "
            f"`raytui up {spec.source or 'FILE'}`, look at it with `raytui {spec.cluster_name}`"
        )
    from raytui.provisioning.provisioner import Provisioner

    return Provisioner(spec, machines, paths)
