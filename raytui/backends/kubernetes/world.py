"""A RayCluster with its pods at one moment, and what has to be written so that pods go."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from raytui.backends.base import ConfigError, ProviderError, TransientError
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.raycluster import Group, RayCluster, Scaling


class World(Struct, frozen=True):
    """A RayCluster and its pods, read one after the other."""

    cluster: RayCluster
    pods: dict[str, Pod]

    def there(self, group: Group) -> list[Pod]:
        """The pods that count as replicas of a group."""
        return [
            pod
            for pod in self.pods.values()
            if pod.group == group.name and pod.is_there and pod.name not in group.to_delete
        ]

    def owed(self, group: Group) -> int:
        """How many pods KubeRay is still to make, new ones or in place of those that ended."""
        return max(0, group.wanted - len(self.there(group)))

    def pending_deletes(self, group: Group) -> frozenset[str]:
        """Pods that KubeRay was told to delete and that are not gone."""
        return group.to_delete & self.pods.keys()


class Deletions(Struct, frozen=True):
    """How pods can go."""

    scalings: tuple[Scaling, ...] = ()
    """What may be written now."""
    waiting: frozenset[str] = frozenset()
    """Pods that KubeRay has to see off first."""
    refused: tuple[ProviderError, ...] = ()
    """Why some cannot go."""
    replaced: frozenset[str] = frozenset()
    """Asked pods that were gone already, in place of which others go."""


def deletions(
    world: World, asked: Collection[str], gone: Collection[Pod], owned: Collection[str]
) -> Deletions:
    """How the asked pods go, or the pods that KubeRay has made in their place.

    A pod that ended by itself is deleted by KubeRay, which makes another one as long as `replicas`
    says so. `gone` are those of the asked ones that went like that. The one in its place goes only
    while nothing can run on it and when it belongs to no request, of which `owned` has all pods.
    """
    scalings, waiting, refused, replaced = [], frozenset[str](), [], frozenset[str]()
    leaving = [pod for pod in world.pods.values() if pod.name in asked and not pod.is_head]
    for name in sorted({pod.group for pod in (*leaving, *gone)}):
        try:
            group = world.cluster.scalable(name)
            untold = [pod for pod in leaving if _is_untold(pod, group)]
            lost = [pod for pod in gone if _is_untold(pod, group)]
            ending = frozenset(pod.name for pod in untold if not pod.is_there)
            names = _whole_replicas(world, group, [pod for pod in untold if pod.is_there])
            others = _in_place_of(world, group, lost, {*asked, *owned})
            pending = world.pending_deletes(group)
            if (names or others) and pending:
                waiting |= pending
            elif names or others:
                scalings.append(_without(group, [*names, *others]))
                replaced |= {pod.name for pod in lost}
            elif lost and world.owed(group):
                waiting |= {pod.name for pod in lost}
            waiting |= ending
        except (ConfigError, TransientError) as error:
            refused.append(error)
    return Deletions(tuple(scalings), waiting, tuple(refused), replaced)


def _is_untold(pod: Pod, group: Group) -> bool:
    """Whether it is one of the group that KubeRay was not told to delete."""
    return pod.group == group.name and pod.name not in group.to_delete


def _without(group: Group, names: Collection[str]) -> Scaling:
    """The group without pods that are whole replicas.

    At its `minReplicas` the number stays, and KubeRay makes others in their place.
    """
    left = group.wanted_replicas - len(names) // group.hosts
    return Scaling(group, max(group.min_replicas, left), frozenset(names))


def _whole_replicas(world: World, group: Group, leaving: Sequence[Pod]) -> list[str]:
    """Pods, and those that are replicas together with them."""
    replicas = {pod.replica for pod in leaving}
    if "" not in replicas:
        return [pod.name for pod in world.there(group) if pod.replica in replicas]
    # KubeRay before 1.5 does not say which pods are a replica: any are as good as others.
    whole = len(leaving) // group.hosts * group.hosts
    if not whole:
        raise TransientError(
            f"{len(leaving)} of the {group.hosts} pods of a replica of {group.name} may go: "
            "they wait for the others"
        )
    return sorted(pod.name for pod in leaving)[:whole]


def _in_place_of(
    world: World, group: Group, gone: Collection[Pod], kept: Collection[str]
) -> list[str]:
    """As many replicas as are gone, the newest first, on which Ray does not run yet."""
    replicas: dict[str, list[Pod]] = {}
    for pod in world.there(group):
        replicas.setdefault(pod.replica or pod.name, []).append(pod)
    idle = [
        pods
        for pods in replicas.values()
        if not any(pod.name in kept or pod.instance.ray_started_at for pod in pods)
    ]
    idle.sort(key=lambda pods: pods[0].instance.launched_at, reverse=True)
    count = len({pod.replica or pod.name for pod in gone})
    return [pod.name for pods in idle[:count] for pod in pods]
