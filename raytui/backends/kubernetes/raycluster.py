"""A RayCluster resource as its autoscaler sees it, and the patches that scale it.

KubeRay's contract with an autoscaler: it writes `replicas` and `scaleStrategy` of worker groups and
nothing else; KubeRay makes and deletes pods. Two rules follow from how KubeRay keeps it where its
own autoscaler is off (`reconcilePods` of its ray-operator):

- `replicas` is lowered only together with the names of the pods that go: of pods too many KubeRay
  deletes any.
- The names stay in `workersToDelete` until their pods are gone for good. One that still ends counts
  as a pod too many as soon as its name is taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from raytui.backends.base import ConfigError
from raytui.backends.kubernetes.session import Json

API = "/apis/ray.io/v1"
HEAD_GROUP = "headgroup"
"""The group of the head pod, which KubeRay names so."""
UNLIMITED = 2**31 - 1
FIELD_MANAGER = "raytui"


class Group(Struct, frozen=True):
    """A worker group. A replica is one pod, or `hosts` pods that live and die together."""

    name: str
    index: int
    replicas: int
    min_replicas: int
    max_replicas: int
    hosts: int = 1
    is_suspended: bool = False
    strategy: Json = {}

    @property
    def wanted_replicas(self) -> int:
        """What KubeRay makes of `replicas`: it keeps the group's limits."""
        return max(self.min_replicas, min(self.replicas, self.max_replicas))

    @property
    def wanted(self) -> int:
        """Pods."""
        return self.wanted_replicas * self.hosts

    @property
    def to_delete(self) -> frozenset[str]:
        """Names of pods that KubeRay was told to delete, those that are gone too."""
        return frozenset(self.strategy.get("workersToDelete") or ())


class RayCluster(Struct, frozen=True):
    """One RayCluster resource, as it was read."""

    name: str
    namespace: str
    version: str
    """Its resourceVersion."""
    groups: dict[str, Group]
    is_suspended: bool = False
    is_autoscaled: bool = False
    """KubeRay runs Ray's own autoscaler beside the head."""
    failure: str = ""
    """KubeRay's words when it could not make or delete a pod."""

    @property
    def not_ours(self) -> str:
        """Why raytui may not scale it, and what to do; empty when it may."""
        if self.is_autoscaled:
            return (
                f"{self.name} is scaled by Ray's own autoscaler: set "
                "spec.enableInTreeAutoscaling to false for raytui to scale it "
                f"(`raytui k8s install {self.name}` does)"
            )
        return f"{self.name} is suspended: set spec.suspend to false" if self.is_suspended else ""

    def scalable(self, group: str) -> Group:
        """A group that raytui may scale now; raises ConfigError with what stands in the way."""
        if self.not_ours:
            raise ConfigError(self.not_ours)
        if group not in self.groups:
            known = ", ".join(self.groups) or "none"
            raise ConfigError(f"{self.name} has no worker group {group}; it has {known}")
        found = self.groups[group]
        if found.is_suspended:
            raise ConfigError(f"worker group {group} of {self.name} is suspended")
        return found


class Scaling(Struct, frozen=True):
    """What is to become of a group."""

    group: Group
    replicas: int
    to_delete: frozenset[str] = frozenset()
    """Pods that go; without any, the names that were written last stay."""


def path_of(namespace: str, name: str) -> str:
    """Where a RayCluster is."""
    return f"{API}/namespaces/{namespace}/rayclusters/{name}"


def read(resource: Mapping[str, Any]) -> RayCluster:
    """The RayCluster of an answer of the API server."""
    meta, spec = resource["metadata"], resource["spec"]
    groups = spec.get("workerGroupSpecs") or ()
    return RayCluster(
        name=meta["name"],
        namespace=meta["namespace"],
        version=meta["resourceVersion"],
        groups={one["groupName"]: _group(index, one) for index, one in enumerate(groups)},
        is_suspended=bool(spec.get("suspend") or spec.get("idleSuspend")),
        is_autoscaled=bool(spec.get("enableInTreeAutoscaling")),
        failure=_failure(resource.get("status") or {}),
    )


def patch(cluster: RayCluster, scalings: Iterable[Scaling]) -> list[Json]:
    """A JSON patch that does all of it, or nothing when the resource is no longer as it was read.

    `add` replaces a field that is there, and works for one that is not.
    """
    operations = [_test("/metadata/resourceVersion", cluster.version)]
    for one in scalings:
        group = one.group
        path = f"/spec/workerGroupSpecs/{group.index}"
        operations.append(_test(f"{path}/groupName", group.name))
        if one.replicas != group.replicas:
            operations.append(_add(f"{path}/replicas", one.replicas))
        if one.to_delete:
            strategy = {**group.strategy, "workersToDelete": sorted(one.to_delete)}
            operations.append(_add(f"{path}/scaleStrategy", strategy))
    return operations


def _group(index: int, spec: Mapping[str, Any]) -> Group:
    return Group(
        name=spec["groupName"],
        index=index,
        replicas=spec.get("replicas") or 0,
        min_replicas=spec.get("minReplicas") or 0,
        max_replicas=UNLIMITED if spec.get("maxReplicas") is None else spec["maxReplicas"],
        hosts=max(1, spec.get("numOfHosts") or 1),
        is_suspended=bool(spec.get("suspend")),
        strategy=spec.get("scaleStrategy") or {},
    )


def _failure(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            parts = (condition.get("reason"), condition.get("message"))
            return ": ".join(part for part in parts if part)
    return ""


def _test(path: str, value: object) -> Json:
    return {"op": "test", "path": path, "value": value}


def _add(path: str, value: object) -> Json:
    return {"op": "add", "path": path, "value": value}
