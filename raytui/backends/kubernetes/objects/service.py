"""The services of a RayCluster: where its head is found, and the hosts of multi-host replicas."""

from __future__ import annotations

from copy import deepcopy

from raytui.backends.kubernetes.objects.names import (
    head_service_name,
    name_of,
    workers_service_name,
)
from raytui.backends.kubernetes.objects.owned import node_labels, owned_by
from raytui.backends.kubernetes.objects.ray_start import DASHBOARD_PORT, GCS_PORT, METRICS_PORT
from raytui.backends.kubernetes.pods import CLUSTER, KIND
from raytui.backends.kubernetes.session import Json

_PORTS = {
    "client": 10001,
    "gcs-server": GCS_PORT,
    "dashboard": DASHBOARD_PORT,
    "metrics": METRICS_PORT,
    "serve": 8000,
}
_HEADLESS_WORKERS = "ray.io/headless-worker-svc"


def head_service(cluster: Json) -> Json:
    """The head's service, headless unless its type says otherwise; a person's own goes before.

    Its ports are those of the head's container, or Ray's own.
    """
    head = cluster["spec"]["headGroupSpec"]
    given: Json = deepcopy(head.get("headService") or {})
    meta, spec = given.get("metadata") or {}, given.get("spec") or {}
    labels = node_labels(cluster, "head")
    ports = spec.get("ports") or []
    taken = {port.get("name") for port in ports}
    spec = {
        **spec,
        "selector": {key: labels[key] for key in (CLUSTER, KIND)},
        "ports": [*ports, *(port for port in _ports(head) if port["name"] not in taken)],
    }
    kind = spec.get("type") or head.get("serviceType") or "ClusterIP"
    spec["type"] = kind
    if not given and kind == "ClusterIP":
        # Workers wait for the head by this name while it starts.
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    annotations = {
        **(meta.get("annotations") or {}),
        **(cluster["spec"].get("headServiceAnnotations") or {}),
    }
    return _service(
        cluster,
        head_service_name(cluster),
        {**(meta.get("labels") or {}), **labels},
        spec,
        annotations,
    )


def workers_service(cluster: Json) -> Json | None:
    """The service by which hosts of a replica find each other; None without multi-host groups."""
    groups = cluster["spec"].get("workerGroupSpecs") or ()
    if not any((group.get("numOfHosts") or 1) > 1 for group in groups):
        return None
    spec = {
        "type": "ClusterIP",
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {CLUSTER: name_of(cluster), KIND: "worker"},
    }
    labels = {_HEADLESS_WORKERS: name_of(cluster), CLUSTER: name_of(cluster)}
    return _service(cluster, workers_service_name(cluster), labels, spec)


def _service(
    cluster: Json, name: str, labels: Json, spec: Json, annotations: Json | None = None
) -> Json:
    meta = {
        "name": name,
        "namespace": cluster["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": owned_by(cluster),
        **({"annotations": annotations} if annotations else {}),
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _ports(head: Json) -> list[Json]:
    container = head["template"]["spec"]["containers"][0]
    found = {
        port.get("name") or f"{port['containerPort']}-port": port["containerPort"]
        for port in container.get("ports") or ()
    }
    ports = {"metrics": METRICS_PORT, **found} if found else _PORTS
    return [{"name": name, "port": ports[name]} for name in sorted(ports)]
