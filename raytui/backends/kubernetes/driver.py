"""Which pod drives a RayCluster: that of its own daemon, or raytui's operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from raytui.backends.base import AuthError, ProviderError
from raytui.backends.kubernetes import pods
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.marks import (
    APP,
    CREATED_BY,
    DAEMON_CONTAINER,
    DAEMON_OF,
    FINALIZER,
    OPERATOR,
)
from raytui.backends.kubernetes.raycluster import path_of
from raytui.backends.kubernetes.session import Json, KubeSession

_EVERYWHERE = "/api/v1/pods"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


class DriverPod(Struct, frozen=True):
    """A pod in which raytui drives a cluster, perhaps: of several operators only one does."""

    namespace: str
    name: str
    container: str = DAEMON_CONTAINER


class Drivers(Struct, frozen=True):
    """Who may be asked about a cluster."""

    pods: tuple[DriverPod, ...] = ()
    """Of operators the one that leads is first, where the user may read its Lease."""
    why_none: str = ""
    """Why there is nobody, and what to do about it; empty when there is somebody."""


def drivers_of(session: KubeSession, namespace: str, name: str) -> Drivers:
    """Who drives a RayCluster now; raises ProviderError."""
    daemons = session.items(pods.path_of(namespace), labelSelector=f"{DAEMON_OF}={name}")
    if running := _running(daemons):
        return Drivers(running)
    if daemons:
        return Drivers(why_none=f"raytui's autoscaler of {name} does not run: {_states(daemons)}")
    resource = session.get(path_of(namespace, name))
    if _is_operated(session, resource):
        return _operators(session, namespace, name)
    return Drivers(why_none=_nobody(resource, name))


def _is_operated(session: KubeSession, resource: Json) -> bool:
    meta = resource["metadata"]
    if FINALIZER in (meta.get("finalizers") or ()):
        return True
    made = f"{pods.selector_of(meta['name'])},{CREATED_BY}={OPERATOR}"
    return bool(session.items(pods.path_of(meta["namespace"]), labelSelector=made))


def _operators(session: KubeSession, namespace: str, name: str) -> Drivers:
    """The operator's pods: anywhere, or here if one may only look here."""
    of_operator = f"{APP}={OPERATOR}"
    try:
        found = session.items(_EVERYWHERE, labelSelector=of_operator)
    except AuthError:
        found = session.items(pods.path_of(namespace), labelSelector=of_operator)
    if running := _running(found):
        return Drivers(running if len(running) == 1 else _leader_first(session, running))
    state = f": {_states(found)}" if found else " where you may look"
    return Drivers(why_none=f"raytui's operator drives {name}, and no pod of it runs{state}")


def _leader_first(session: KubeSession, operators: Sequence[DriverPod]) -> tuple[DriverPod, ...]:
    holders = {pod.namespace: "" for pod in operators}
    for namespace in holders:
        # A Lease elsewhere (`--lease-namespace`), or one that may not be read, tells nothing.
        with suppress(AuthError, NotFoundError):
            lease = session.get(f"{_LEASES.format(namespace)}/{OPERATOR}")
            holders[namespace] = (lease.get("spec") or {}).get("holderIdentity") or ""
    return tuple(
        sorted(operators, key=lambda pod: not holders[pod.namespace].startswith(f"{pod.name}-"))
    )


def _nobody(resource: Json, name: str) -> str:
    if (resource.get("spec") or {}).get("enableInTreeAutoscaling"):
        return (
            f"Ray's own autoscaler, beside the head, scales {name}; "
            f"`raytui k8s install {name}` puts raytui in its place"
        )
    return f"no autoscaler of raytui runs for {name}; `raytui k8s install {name}` brings one"


def _running(found: Sequence[dict[str, Any]]) -> tuple[DriverPod, ...]:
    return tuple(
        DriverPod(pod["metadata"]["namespace"], pod["metadata"]["name"])
        for pod in found
        if "deletionTimestamp" not in pod["metadata"] and _runs(pod.get("status") or {})
    )


def _runs(status: Mapping[str, Any]) -> bool:
    """Whether raytui's container does; a pod runs as long as it is only started again."""
    states = {
        one.get("name"): one.get("state") or {} for one in status.get("containerStatuses", ())
    }
    return status.get("phase") == "Running" and "running" in states.get(DAEMON_CONTAINER, {})


def _states(found: Sequence[dict[str, Any]]) -> str:
    """How far its pods are, in Kubernetes' words."""
    parts = []
    for one in found:
        pod = pods.pod_of(one)
        state = "is being deleted" if pod.is_leaving else one.get("status", {}).get("phase", "")
        parts.append(f"pod {pod.name} {state.lower()}, {pod.instance.detail}".rstrip(", "))
    return "; ".join(parts)


def why_unreachable(name: str, error: ProviderError | str) -> str:
    """Why a cluster is only watched whose driver does not let us in."""
    return f"the autoscaler of {name} cannot be spoken with ({error})"
