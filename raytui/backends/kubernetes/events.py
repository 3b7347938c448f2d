"""Events of Kubernetes: what it says of a pod, or of a RayCluster and its pods."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from raytui.backends.kubernetes.pods import unix_seconds
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.model.happening import Happening

_CLUSTER = "RayCluster"
_POD = "Pod"


def path_of(namespace: str) -> str:
    """Where the events of a namespace are."""
    return f"/api/v1/namespaces/{namespace}/events"


def pod_events(session: KubeSession, namespace: str, pod: str) -> list[Happening]:
    """What was said of a pod within the last hour (Kubernetes' own limit), newest last."""
    return in_order(map(happening_of, _of(session, namespace, _POD, pod)))


def cluster_events(
    session: KubeSession, namespace: str, cluster: str, pods: Collection[str] = ()
) -> list[Happening]:
    """What was said of a RayCluster and of some pods, newest last; `about` names each.

    One request, or one for each 500 events of the namespace where there are pods.
    """
    if not pods:
        return in_order(map(happening_of, _of(session, namespace, _CLUSTER, cluster)))
    wanted = {(_POD, name) for name in pods} | {(_CLUSTER, cluster)}
    found = session.items(path_of(namespace))
    return in_order(happening_of(one) for one in found if _subject(one) in wanted)


def happening_of(event: Json) -> Happening:
    """An event of an answer of the API server, as it is told by old and new components."""
    series, source = event.get("series") or {}, event.get("source") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    at = next((time for time in times if time), event["metadata"].get("creationTimestamp"))
    return Happening(
        at=unix_seconds(at),
        reason=str(event.get("reason") or ""),
        message=str(event.get("message") or "").strip(),
        is_warning=event.get("type") == "Warning",
        count=int(series.get("count") or event.get("count") or 1),
        source=str(source.get("component") or event.get("reportingComponent") or ""),
        about=" ".join(_subject(event)),
    )


def in_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Newest last."""
    return sorted(happenings, key=lambda one: one.at)


def _of(session: KubeSession, namespace: str, kind: str, name: str) -> list[Json]:
    selector = f"involvedObject.kind={kind},involvedObject.name={name}"
    return session.items(path_of(namespace), fieldSelector=selector)


def _subject(event: Json) -> tuple[str, str]:
    involved: dict[str, Any] = event.get("involvedObject") or {}
    return str(involved.get("kind") or ""), str(involved.get("name") or "")
