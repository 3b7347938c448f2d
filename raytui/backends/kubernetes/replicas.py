"""The number of replicas of a worker group, as a person sets it."""

from __future__ import annotations

from msgspec import Struct

from raytui.backends.base import ConfigError
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.errors import ConflictError
from raytui.backends.kubernetes.raycluster import Group, RayCluster, Scaling
from raytui.backends.kubernetes.session import KubeSession

_ATTEMPTS = 5


class Scaled(Struct, frozen=True):
    """What became of a wish."""

    group: str
    before: int
    replicas: int
    is_autoscaled: bool
    """Ray's own autoscaler goes on scaling it."""


def set_replicas(
    session: KubeSession, namespace: str, name: str, group: str, replicas: int
) -> Scaled:
    """Have a group (the only one, when it is not named) have so many replicas.

    KubeRay chooses which pods go of those that are too many. Raises ConfigError for what its limits
    do not allow, and ProviderError.
    """
    path = cluster_api.path_of(namespace, name)
    for attempt in range(1, _ATTEMPTS + 1):
        cluster = cluster_api.read(session.get(path))
        found = _group(cluster, group)
        _within_limits(found, name, replicas)
        done = Scaled(found.name, found.replicas, replicas, cluster.is_autoscaled)
        if found.replicas == replicas:
            return done
        operations = cluster_api.patch(cluster, [Scaling(found, replicas)])
        try:
            session.patch(path, operations, fieldManager=cluster_api.FIELD_MANAGER)
        except ConflictError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return done
    raise AssertionError("there is at least one attempt")


def _group(cluster: RayCluster, named: str) -> Group:
    groups, name = cluster.groups, cluster.name
    known = ", ".join(groups) or "none"
    if named and named not in groups:
        raise ConfigError(f"{name} has no worker group {named}; it has {known}")
    if not named and len(groups) != 1:
        raise ConfigError(f"{name} has {len(groups)} worker groups: name one by -w ({known})")
    found = groups[named] if named else next(iter(groups.values()))
    if cluster.is_suspended or found.is_suspended:
        what = name if cluster.is_suspended else f"worker group {found.name} of {name}"
        raise ConfigError(f"{what} is suspended: it has no pods until suspend is false")
    return found


def _within_limits(group: Group, name: str, replicas: int) -> None:
    if replicas > group.max_replicas:
        raise ConfigError(
            f"{group.name} of {name} may have at most {group.max_replicas} replicas: raise its "
            f"maxReplicas to {replicas} first"
        )
    if replicas < group.min_replicas:
        raise ConfigError(
            f"{group.name} of {name} has at least {group.min_replicas} replicas: lower its "
            f"minReplicas to {replicas} first"
        )
