"""What a RayCluster needs beside its pods: services, and by its options a secret and a volume."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from raytui.backends.kubernetes import objects
from raytui.backends.kubernetes.session import Json

_KINDS = {
    "Service": "services",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
}


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
