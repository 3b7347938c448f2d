"""What a RayCluster needs beside its pods: services, and by its options a secret and a volume."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from raytui.backends.base import AuthError
from raytui.backends.kubernetes import objects
from raytui.backends.kubernetes.objects.gcs_storage import claim_name
from raytui.backends.kubernetes.objects.names import (
    head_service_name,
    name_of,
    workers_service_name,
)
from raytui.backends.kubernetes.session import Json

_KINDS = {
    "Service": "services",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
}
_RIGHTS = {"secrets": "rights.secrets", "persistentvolumeclaims": "rights.volumeClaims"}
"""Values of the operator's chart without which it may not touch objects of a kind."""


def companions(resource: Json) -> Iterator[Json]:
    """The objects themselves, the head's service first."""
    yield objects.head_service(resource)
    token = secrets.token_urlsafe(32)
    others = (
        objects.workers_service(resource),
        objects.token_secret(resource, token),
        objects.volume_claim(resource),
    )
    yield from (one for one in others if one is not None)


def traces(resource: Json) -> Iterator[str]:
    """Where such objects may be, whatever has become of the spec since they were made.

    A secret or a volume is looked for only when the spec speaks of it: rights for them are rare.
    What is missed goes by its ownerReferences.
    """
    meta, spec = resource["metadata"], resource["spec"]
    # Of its spec as it was made a cluster has nothing left but its own name and its status.
    bare = {"metadata": meta, "spec": {"headGroupSpec": {}}}
    told = (resource.get("status") or {}).get("head") or {}
    services = {head_service_name(bare), workers_service_name(bare), told.get("serviceName")}
    found = [("services", name) for name in sorted(filter(None, services))]
    if spec.get("authOptions"):
        found.append(("secrets", name_of(bare)))
    if spec.get("gcsFaultToleranceOptions"):
        found.append(("persistentvolumeclaims", claim_name(bare)))
    yield from (f"/api/v1/namespaces/{meta['namespace']}/{kind}/{name}" for kind, name in found)


def refusal(error: AuthError, path: str) -> AuthError:
    """A refused request for such an object, with which value of the chart would allow it."""
    value = next((one for kind, one in _RIGHTS.items() if kind in path.split("/")), "")
    hint = f" (the operator's chart allows it with {value}=true)" if value else ""
    return AuthError(f"{error}{hint}", detail=error.detail)


def folder_of(companion: Json) -> str:
    """Where objects of its kind are."""
    return f"/api/v1/namespaces/{companion['metadata']['namespace']}/{_KINDS[companion['kind']]}"


def path_of(companion: Json) -> str:
    """Where it is."""
    return f"{folder_of(companion)}/{companion['metadata']['name']}"


def is_owned(found: Json, uid: str) -> bool:
    """Whether an object belongs to the RayCluster of a uid."""
    owners = found["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == uid for owner in owners)
