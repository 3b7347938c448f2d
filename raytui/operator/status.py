"""The status of a RayCluster that raytui's operator drives, in KubeRay's documented fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.quantity import quantity
from raytui.backends.kubernetes.raycluster import Group, RayCluster
from raytui.backends.kubernetes.session import Json

_HEAD_READY = "HeadPodReady"
_PROVISIONED = "RayClusterProvisioned"
_FAILURE = "ReplicaFailure"
_SUSPENDING = "RayClusterSuspending"
_SUSPENDED = "RayClusterSuspended"
_LONGEST = 1000
"""Characters of a condition's message."""
_UNITS = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")


class Failure(Struct, frozen=True):
    """Why pods cannot be made."""

    reason: str
    message: str


class Seen(Struct, frozen=True):
    """What a status tells of."""

    resource: Json
    pods: Sequence[Pod]
    """The Ray nodes of the cluster."""
    service: Json | None
    """Of the head."""
    failure: Failure | None = None


def was_ready(resource: Json) -> bool:
    """Whether the status tells of a head, or a whole cluster, that was ready since its start."""
    conditions = (resource.get("status") or {}).get("conditions") or ()
    return any(
        one.get("type") in (_HEAD_READY, _PROVISIONED) and one.get("status") == "True"
        for one in conditions
    )


def status_of(seen: Seen, now: float) -> Json:
    """The whole status; the one that is there already when nothing has changed.

    `now` is unix seconds.
    """
    before: Json = seen.resource.get("status") or {}
    fresh = _status(seen, before, _text(now))
    unmoved = {key: value for key, value in before.items() if key != "lastUpdateTime"}
    return before if fresh == unmoved else {**fresh, "lastUpdateTime": _text(now)}


def _status(seen: Seen, before: Json, now: str) -> Json:
    cluster = cluster_api.read(seen.resource)
    there = [pod for pod in seen.pods if pod.is_there]
    head = next((pod for pod in there if pod.is_head), None)
    workers = [pod for pod in there if not pod.is_head]
    desired = {name: _desired(cluster, group, workers) for name, group in cluster.groups.items()}
    is_provisioned = (
        head is not None
        and head.is_ready
        and all(pod.is_ready for pod in workers)
        and len(workers) >= sum(desired.values())
    )
    conditions = _Conditions(before.get("conditions") or (), now)
    _tell(conditions, cluster, head, has_pods=bool(seen.pods), is_provisioned=is_provisioned)
    _tell_failure(conditions, seen.failure)
    state = str(before.get("state") or "")
    if cluster.is_suspended:
        state = state if seen.pods else "suspended"
    elif is_provisioned:
        state = "ready"
    elif state == "suspended":
        state = ""
    kept = {key: value for key, value in before.items() if key not in _OURS}
    return {
        **kept,
        **({"state": state} if state else {}),
        **({"reason": seen.failure.message[:_LONGEST]} if seen.failure else {}),
        **_moments(before, state, now),
        "observedGeneration": seen.resource["metadata"].get("generation", 0),
        "desiredWorkerReplicas": sum(desired.values()),
        "availableWorkerReplicas": sum(1 for pod in workers if pod.instance.ray_started_at),
        "readyWorkerReplicas": sum(1 for pod in workers if pod.is_ready),
        "minWorkerReplicas": sum(g.min_replicas * g.hosts for g in _awake(cluster)),
        "maxWorkerReplicas": min(
            cluster_api.UNLIMITED, sum(g.max_replicas * g.hosts for g in _awake(cluster))
        ),
        **_totals(seen.resource["spec"], cluster, desired),
        **_endpoints(seen.service),
        "head": _head(head, seen.service),
        "conditions": conditions.all(),
    }


_OURS = frozenset(
    (
        *("state", "reason", "stateTransitionTimes", "observedGeneration", "lastUpdateTime"),
        *("desiredWorkerReplicas", "availableWorkerReplicas", "readyWorkerReplicas"),
        *("minWorkerReplicas", "maxWorkerReplicas", "head", "endpoints", "conditions"),
        *("desiredCPU", "desiredMemory", "desiredGPU", "desiredTPU"),
    )
)
"""Others' words in a status stay."""


def _awake(cluster: RayCluster) -> Iterable[Group]:
    return (
        () if cluster.is_suspended else [g for g in cluster.groups.values() if not g.is_suspended]
    )


def _desired(cluster: RayCluster, group: Group, workers: Iterable[Pod]) -> int:
    """Pods that a group is to have; where raytui scales it, those that it has at least."""
    if cluster.is_suspended or group.is_suspended:
        return 0
    if not cluster.is_autoscaled:
        return group.wanted
    return max(group.min_replicas * group.hosts, sum(1 for p in workers if p.group == group.name))


class _Conditions:
    """A list of conditions in which the time of a change stays until the next change."""

    def __init__(self, before: Iterable[Mapping[str, Any]], now: str) -> None:
        self._found = {str(one["type"]): dict(one) for one in before}
        self._now = now

    def set(self, kind: str, *, holds: bool, reason: str, message: str = "") -> None:
        status = "True" if holds else "False"
        before = self._found.get(kind, {})
        since = before.get("lastTransitionTime") if before.get("status") == status else None
        self._found[kind] = {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message[:_LONGEST],
            "lastTransitionTime": since or self._now,
        }

    def drop(self, kind: str) -> None:
        self._found.pop(kind, None)

    def holds(self, kind: str) -> bool:
        return self._found.get(kind, {}).get("status") == "True"

    def all(self) -> list[Json]:
        return list(self._found.values())


def _tell(
    conditions: _Conditions,
    cluster: RayCluster,
    head: Pod | None,
    *,
    has_pods: bool,
    is_provisioned: bool,
) -> None:
    if head is None:
        conditions.set(_HEAD_READY, holds=False, reason="HeadPodNotFound", message="no head pod")
    elif head.is_ready:
        conditions.set(_HEAD_READY, holds=True, reason="HeadPodRunningAndReady")
    else:
        words = head.instance.detail
        conditions.set(_HEAD_READY, holds=False, reason="ContainersNotReady", message=words)
    asked = "UserRequestedSuspend"
    if cluster.is_suspended:
        conditions.set(_SUSPENDING, holds=has_pods, reason=asked)
        conditions.set(_SUSPENDED, holds=not has_pods, reason=asked)
        conditions.set(_PROVISIONED, holds=False, reason="RayClusterPodsProvisioning")
        return
    for kind in (_SUSPENDING, _SUSPENDED):
        if conditions.holds(kind):
            conditions.set(kind, holds=False, reason="UserRequestedResume")
    if is_provisioned:
        conditions.set(_PROVISIONED, holds=True, reason="AllPodRunningAndReadyFirstTime")
    elif not conditions.holds(_PROVISIONED):
        conditions.set(_PROVISIONED, holds=False, reason="RayClusterPodsProvisioning")


def _tell_failure(conditions: _Conditions, failure: Failure | None) -> None:
    if failure is None:
        conditions.drop(_FAILURE)
    else:
        conditions.set(_FAILURE, holds=True, reason=failure.reason, message=failure.message)


def _moments(before: Json, state: str, now: str) -> Json:
    """When the cluster came to each state last."""
    moments = dict(before.get("stateTransitionTimes") or {})
    if state and state != before.get("state"):
        moments[state] = now
    return {"stateTransitionTimes": moments} if moments else {}


def _totals(spec: Json, cluster: RayCluster, desired: Mapping[str, int]) -> Json:
    """What all pods that are to be have together, as Kubernetes counts."""
    parts = [] if cluster.is_suspended else [(spec["headGroupSpec"], 1)]
    groups = spec.get("workerGroupSpecs") or ()
    parts += [(group, desired.get(group["groupName"], 0)) for group in groups]
    sums = {"cpu": Decimal(0), "memory": Decimal(0), "gpu": Decimal(0), "tpu": Decimal(0)}
    for group, count in parts:
        for container in group["template"]["spec"].get("containers") or ():
            for name, amount in _amounts(container.get("resources") or {}).items():
                sums[name] += count * amount
    return {
        "desiredCPU": _cpus(sums["cpu"]),
        "desiredMemory": _bytes(sums["memory"]),
        "desiredGPU": str(int(sums["gpu"])),
        "desiredTPU": str(int(sums["tpu"])),
    }


def _amounts(resources: Json) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for name, text in {
        **(resources.get("limits") or {}),
        **(resources.get("requests") or {}),
    }.items():
        known = "gpu" if name.endswith("gpu") else "tpu" if name == "google.com/tpu" else name
        if known in ("cpu", "memory", "gpu", "tpu"):
            try:
                found[known] = quantity(str(text))
            except ValueError:
                continue  # the API server will not take the pod either, and says why
    return found


def _cpus(amount: Decimal) -> str:
    return str(int(amount)) if amount == int(amount) else f"{int(amount * 1000)}m"


def _bytes(amount: Decimal) -> str:
    whole = int(amount)
    for power, unit in zip(range(6, 0, -1), _UNITS, strict=True):
        if whole and not whole % 1024**power:
            return f"{whole // 1024**power}{unit}"
    return str(whole)


def _endpoints(service: Json | None) -> Json:
    ports = (service or {}).get("spec", {}).get("ports") or ()
    found = {
        str(one.get("name") or one["port"]): str(one.get("nodePort") or one["port"])
        for one in ports
    }
    return {"endpoints": found} if found else {}


def _head(head: Pod | None, service: Json | None) -> Json:
    found: Json = {}
    if head is not None:
        found["podName"] = head.name
        if head.instance.ip:
            found["podIP"] = head.instance.ip
    if service is not None:
        found["serviceName"] = service["metadata"]["name"]
        address = service["spec"].get("clusterIP") or ""
        # A service without an address of its own is the head pod's.
        address = head.instance.ip if address in ("", "None") and head is not None else address
        if address and address != "None":
            found["serviceIP"] = address
    return found


def _text(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
