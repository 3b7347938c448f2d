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
    """Pods that still go; others of their groups wait for them."""
    refused: tuple[ProviderError, ...] = ()
    """Why some cannot go."""


def deletions(world: World, asked: Collection[str]) -> Deletions:
    """How those of the asked pods go that are there and were not told to go before."""
    scalings, waiting, refused = [], frozenset[str](), []
    by_group: dict[str, list[Pod]] = {}
    for pod in world.pods.values():
        if pod.name in asked and pod.is_there and not pod.is_head:
            by_group.setdefault(pod.group, []).append(pod)
    for name, leaving in by_group.items():
        try:
            group = world.cluster.scalable(name)
            leaving = [pod for pod in leaving if pod.name not in group.to_delete]
            pending = world.pending_deletes(group)
            if leaving and pending:
                waiting |= pending
            elif leaving:
                scalings.append(_without(world, group, leaving))
        except (ConfigError, TransientError) as error:
            refused.append(error)
    return Deletions(tuple(scalings), waiting, tuple(refused))


def _without(world: World, group: Group, leaving: Sequence[Pod]) -> Scaling:
    """The group without pods, and without those that are replicas together with them.

    At its `minReplicas` the number stays, and KubeRay makes others in their place.
    """
    names = _whole_replicas(world, group, leaving)
    left = group.wanted_replicas - len(names) // group.hosts
    return Scaling(group, max(group.min_replicas, left), frozenset(names))


def _whole_replicas(world: World, group: Group, leaving: Sequence[Pod]) -> list[str]:
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
