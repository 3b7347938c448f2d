"""Why a pod is no Ray node, in Kubernetes' own words, and what kind of failure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from raytui.model.failure import FailureKind, Obstacle

_K = FailureKind

_WAITING = {
    "InvalidImageName": _K.CONFIG,
    "ErrImagePull": _K.CONFIG,
    "ImagePullBackOff": _K.CONFIG,
    "ErrImageNeverPull": _K.CONFIG,
    "ImageInspectError": _K.CONFIG,
    "SignatureValidationFailed": _K.CONFIG,
    "RegistryUnavailable": _K.TRANSIENT,
    "CreateContainerConfigError": _K.CONFIG,
    "CreateContainerError": _K.CONFIG,
    "RunContainerError": _K.CONFIG,
    "CrashLoopBackOff": _K.SETUP,
}
"""What the kubelet says of containers that it cannot start; it tries again and again."""
_NEVER_HEALS = frozenset({"InvalidImageName"})
"""Of these: what says the same until the pod is another one. An image may be pushed and a secret
made meanwhile."""
_TAKEN_AWAY = frozenset({"Preempting", "Preempted", "Terminated", "Shutdown", "NodeShutdown"})
"""Why a pod has ended for the sake of others, or with its machine."""
_LOST = "NodeLost"
_NO_ROOM = (
    "Evicted",
    "OutOf",
    "Outof",
    "NodeAffinity",
    "TopologyAffinityError",
    "UnexpectedAdmissionError",
)
"""Why a kubelet has ended, or not even begun, a pod that was given to it (how these begin)."""


def detail_of(pod: Mapping[str, Any]) -> str:
    """Why a pod is not (or no longer) running, or why it was not before; empty when all is well."""
    status = pod.get("status") or {}
    if status.get("reason"):  # Evicted, NodeLost, …
        return _joined(status["reason"], status.get("message"))
    unscheduled = _unscheduled(status)
    if unscheduled:
        return _joined(unscheduled.get("reason"), unscheduled.get("message"))
    return next(filter(None, map(_told_by, _containers(status))), "")


def obstacle_of(pod: Mapping[str, Any]) -> Obstacle | None:
    """What keeps a pod from becoming a Ray node, or has ended it; None when nothing is known."""
    status = pod.get("status") or {}
    if kind := _kind_of_end(status):
        return Obstacle(kind, detail_of(pod))
    if unscheduled := _unscheduled(status):
        reason = unscheduled.get("reason")
        kind = _K.QUOTA if reason == "SchedulingGated" else _K.CAPACITY
        return Obstacle(kind, _joined(_with_places(pod, reason), unscheduled.get("message")))
    for container in _containers(status):
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason")
        if reason in _WAITING:
            words = _told_by(container)
            return Obstacle(_WAITING[reason], words, heals=reason not in _NEVER_HEALS)
    return None


def _kind_of_end(status: Mapping[str, Any]) -> FailureKind | None:
    reason = status.get("reason") or ""
    if reason.startswith(_NO_ROOM):
        return _K.CAPACITY
    if reason in _TAKEN_AWAY or reason == _LOST or _is_disrupted(status):
        return _K.INTERRUPTED
    return _K.SETUP if status.get("phase") == "Failed" else None


def _is_disrupted(status: Mapping[str, Any]) -> bool:
    return any(
        one.get("type") == "DisruptionTarget" and one.get("status") == "True"
        for one in status.get("conditions") or ()
    )


def _unscheduled(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The condition which says that a pod has no machine; empty for others."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return dict(condition)
    return {}


def _with_places(pod: Mapping[str, Any], reason: str | None) -> str:
    """Where a pod may be only, which Kubernetes does not repeat when it finds no machine."""
    selector = pod.get("spec", {}).get("nodeSelector") or {}
    places = ", ".join(f"{key}={value}" for key, value in sorted(selector.items()))
    return f"{reason} on {places}" if places else str(reason)


def _told_by(container: Mapping[str, Any]) -> str:
    """What a container waits for, or how it ended; one that restarts tells of its last end."""
    state, before = container.get("state") or {}, container.get("lastState") or {}
    ended = state.get("terminated") or before.get("terminated") or {}
    waits = state.get("waiting") or {}
    said = []
    if ended.get("exitCode"):
        how = f"{ended.get('reason') or 'Error'}, exit code {ended['exitCode']}"
        said.append(_joined(how, ended.get("message")))
    if waits and waits.get("reason") != "PodInitializing":
        said.append(_joined(waits.get("reason"), waits.get("message")))
    return f"{container.get('name')}: {'; '.join(said)}" if said else ""


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What is said of a pod's containers, in the order in which they start."""
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _joined(*parts: str | None) -> str:
    return ": ".join(part for part in parts if part)
