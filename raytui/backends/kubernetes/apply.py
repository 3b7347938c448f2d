"""A RayCluster of a file brought to the API server: created, or what differs replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raytui.backends.kubernetes.errors import AlreadyExistsError, NotFoundError
from raytui.backends.kubernetes.raycluster import API, FIELD_MANAGER, path_of
from raytui.backends.kubernetes.session import Json, KubeSession

_AUTOSCALED = ("replicas", "scaleStrategy")
"""Fields of a worker group that belong to whoever scales."""
_KEPT = ("labels", "annotations")


def applied(
    session: KubeSession, namespace: str, wanted: Mapping[str, Any], *, is_autoscaled: bool
) -> str:
    """Have a RayCluster be as a manifest says; returns `created`, `changed` or `as it is`.

    Of one that is `is_autoscaled` the number of replicas stays as it is, since KubeRay would delete
    any pods that are too many. Raises ProviderError; ConflictError when somebody changes it at the
    same moment.
    """
    name = wanted["metadata"]["name"]
    path = path_of(namespace, name)
    try:
        there = session.get(path)
    except NotFoundError:
        return _created(session, namespace, wanted)
    spec = _scaled_as(there["spec"], wanted["spec"]) if is_autoscaled else wanted["spec"]
    operations: list[Json] = [
        {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": there["metadata"]["resourceVersion"],
        },
        {"op": "add", "path": "/spec", "value": spec},
    ]
    for field in _KEPT:
        own = wanted["metadata"].get(field) or {}
        if own:
            both = {**(there["metadata"].get(field) or {}), **own}
            operations.append({"op": "add", "path": f"/metadata/{field}", "value": both})
    changed = session.patch(path, operations, fieldManager=FIELD_MANAGER)
    version = changed["metadata"]["resourceVersion"]
    return "as it is" if version == there["metadata"]["resourceVersion"] else "changed"


def _created(session: KubeSession, namespace: str, wanted: Mapping[str, Any]) -> str:
    meta = {**wanted["metadata"], "namespace": namespace}
    body = {**wanted, "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": meta}
    try:
        session.create(f"{API}/namespaces/{namespace}/rayclusters", body)
    except AlreadyExistsError:
        return "as it is"  # the answer to the first try was lost
    return "created"


def _scaled_as(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """The wanted spec with as many replicas of each group as there are."""
    known = {group["groupName"]: group for group in there.get("workerGroupSpecs") or ()}
    groups = []
    for group in wanted.get("workerGroupSpecs") or ():
        old = known.get(group["groupName"], {})
        groups.append({**group, **{field: old[field] for field in _AUTOSCALED if field in old}})
    return {**wanted, "workerGroupSpecs": groups}
