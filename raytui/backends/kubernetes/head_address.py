"""Where the head of a Ray cluster on Kubernetes is reached: its pod's IP, and its ports.

A port is what Ray's parameters say, with which Ray is started, else what the container calls so
(KubeRay's names), else Ray's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raytui.backends.kubernetes.pods import Pod
from raytui.model.spec import ClusterSpec

_GCS_PORT = 6379
_DASHBOARD_PORT = 8265


def gcs_port(head_group: Mapping[str, Any]) -> int:
    """The port of GCS by a `headGroupSpec`."""
    return _port(head_group, "port", ("gcs-server", "gcs"), _GCS_PORT)


def dashboard_port(head_group: Mapping[str, Any]) -> int:
    """The port of the dashboard by a `headGroupSpec`."""
    return _port(head_group, "dashboard-port", ("dashboard",), _DASHBOARD_PORT)


def gcs(spec: ClusterSpec, head: Pod | None) -> str:
    """`ip:port` of GCS; empty while there is no head or it has no address."""
    return _at(head, gcs_port(_group(spec)))


def dashboard(spec: ClusterSpec, head: Pod | None) -> str:
    """The dashboard's URL inside the Kubernetes cluster; empty as above."""
    address = _at(head, dashboard_port(_group(spec)))
    return f"http://{address}" if address else ""


def _group(spec: ClusterSpec) -> Mapping[str, Any]:
    return spec.node_types[spec.head_node_type].node_config


def _port(head_group: Mapping[str, Any], param: str, names: tuple[str, ...], default: int) -> int:
    params = head_group.get("rayStartParams") or {}
    containers = ((head_group.get("template") or {}).get("spec") or {}).get("containers") or [{}]
    named = {one.get("name"): one.get("containerPort") for one in containers[0].get("ports") or ()}
    for found in (params.get(param), *map(named.get, names)):
        if str(found or "").isdigit():
            return int(str(found))
    return default


def _at(head: Pod | None, port: int) -> str:
    ip = head.instance.ip if head is not None and head.is_there else ""
    host = f"[{ip}]" if ":" in ip else ip
    return f"{host}:{port}" if host else ""
