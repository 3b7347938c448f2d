"""What tests need of Kubernetes' controllers: Deployments get their pods, and lose them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.session import KubeSession

Json = dict[str, Any]

_EVERY_S = 0.2
_HASH = "pod-template-hash"


@contextmanager
def deployments(session: KubeSession) -> Iterator[None]:
    """Every Deployment has as many pods of its template as it wants, while the context lasts.

    Pods of an older template go first (`Recreate`), those of a Deployment that is gone go, too.
    """
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(_EVERY_S):
            try:
                _look(session)
            except ProviderError:
                continue  # the next look sees it

    thread = threading.Thread(target=work, name="deployments", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=10)


def _look(session: KubeSession) -> None:
    wanted = session.items("/apis/apps/v1/deployments")
    there = {one["metadata"]["uid"] for one in wanted}
    pods: dict[str, list[Json]] = {}
    for pod in session.items("/api/v1/pods", labelSelector=_HASH):
        owner = pod["metadata"]["ownerReferences"][0]["uid"]
        pods.setdefault(owner, []).append(pod)
        if owner not in there:
            _delete(session, pod)
    for one in wanted:
        _keep(session, one, pods.get(one["metadata"]["uid"], []))


def _keep(session: KubeSession, deployment: Json, pods: Sequence[Json]) -> None:
    spec = deployment["spec"]
    text = json.dumps(spec["template"], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    count = int(spec.get("replicas", 1))
    current = [pod for pod in pods if pod["metadata"]["labels"][_HASH] == digest]
    for pod in pods:
        is_over = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
        if pod not in current[:count] or is_over:
            _delete(session, pod)
    if len(pods) == len(current):
        for _ in range(count - len(current)):
            _make(session, deployment, digest)
    _tell(session, deployment, current)


def _make(session: KubeSession, deployment: Json, digest: str) -> None:
    meta, template = deployment["metadata"], deployment["spec"]["template"]
    own = template.get("metadata") or {}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{meta['name']}-{digest}-",
            "labels": {**(own.get("labels") or {}), _HASH: digest},
            "annotations": own.get("annotations") or {},
            "ownerReferences": [{**owner, "name": meta["name"], "uid": meta["uid"]}],
        },
        "spec": template["spec"],
    }
    session.create(f"/api/v1/namespaces/{meta['namespace']}/pods", body)


def _delete(session: KubeSession, pod: Json) -> None:
    meta = pod["metadata"]
    if "deletionTimestamp" not in meta:
        with suppress(NotFoundError):
            session.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}")


def _tell(session: KubeSession, deployment: Json, pods: Sequence[Json]) -> None:
    meta = deployment["metadata"]
    ready = sum(_is_ready(pod) for pod in pods)
    is_available = ready >= int(deployment["spec"].get("replicas", 1))
    known = deployment.get("status") or {}
    counts = {
        "observedGeneration": meta["generation"],
        "replicas": len(pods),
        "updatedReplicas": len(pods),
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    if all(known.get(key) == value for key, value in counts.items()):
        return
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Available", "status": str(is_available), "lastTransitionTime": now}
    status = {**counts, "conditions": [{**condition, "lastUpdateTime": now}]}
    path = f"/apis/apps/v1/namespaces/{meta['namespace']}/deployments/{meta['name']}/status"
    session.patch(path, [{"op": "add", "path": "/status", "value": status}])


def _is_ready(pod: Json) -> bool:
    rows = pod.get("status", {}).get("conditions") or ()
    return any(row["type"] == "Ready" and row["status"] == "True" for row in rows)
