"""Names of services as pods see them, in place of a cluster's DNS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def hosts_lines(services: Sequence[Json], pods: Sequence[Json], namespace: str) -> list[str]:
    """Lines of /etc/hosts for a pod in a namespace: a service's address is that of a pod of it."""
    lines = []
    for service in services:
        meta, spec = service["metadata"], service["spec"]
        if not (wanted := spec.get("selector")):
            continue
        early = bool(spec.get("publishNotReadyAddresses"))
        found = [pod for pod in pods if _serves(pod, meta["namespace"], wanted, early)]
        if not found:
            continue
        full = f"{meta['name']}.{meta['namespace']}"
        names = [f"{full}.svc.cluster.local", f"{full}.svc", full]
        if meta["namespace"] == namespace:
            names.append(meta["name"])
        lines.append(f"{found[0]['status']['podIP']} {' '.join(names)}")
    return lines


def _serves(pod: Json, namespace: str, wanted: Json, early: bool) -> bool:
    meta, status = pod["metadata"], pod.get("status", {})
    labels = meta.get("labels") or {}
    is_ready = any(
        row["type"] == "Ready" and row["status"] == "True" for row in status.get("conditions") or ()
    )
    return (
        meta["namespace"] == namespace
        and "deletionTimestamp" not in meta
        and bool(status.get("podIP"))
        and status.get("phase") in ("Pending", "Running")
        and all(labels.get(key) == value for key, value in wanted.items())
        and (early or is_ready)
    )
