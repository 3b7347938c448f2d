"""Where GCS keeps what must outlive its head (`gcsFaultToleranceOptions`): in Redis or a volume."""

from __future__ import annotations

from raytui.backends.kubernetes.objects.container import (
    variable,
    with_mount,
    with_variables,
    with_volume,
)
from raytui.backends.kubernetes.objects.names import name_of
from raytui.backends.kubernetes.objects.owned import owned_by
from raytui.backends.kubernetes.pods import CLUSTER
from raytui.backends.kubernetes.session import Json

ENABLED = "ray.io/ft-enabled"
NAMESPACE = "ray.io/external-storage-namespace"
"""Annotations of a RayCluster that say the same as its options."""
_VOLUME = "gcs-storage"
_PATH = "/data/gcs"
_RECONNECT_S = "600"
"""How long workers wait for a head that is made anew; Ray's own 60 s are too short."""


def outlives_head(cluster: Json) -> bool:
    """Whether GCS finds its memory again when its head is made anew."""
    annotations = cluster["metadata"].get("annotations") or {}
    is_annotated = str(annotations.get(ENABLED, "")).lower() == "true"
    return is_annotated or cluster["spec"].get("gcsFaultToleranceOptions") is not None


def stored_options(cluster: Json) -> dict[str, str]:
    """Options of the head's `ray start`: who it is in Redis, which its variables tell."""
    options = _options(cluster)
    given = {"redis-username": "redisUsername", "redis-password": "redisPassword"}
    return {
        name: f"${name.replace('-', '_').upper()}"
        for name, key in given.items()
        if not _is_in_volume(cluster) and options.get(key) is not None
    }


def with_storage(cluster: Json, container: Json, *, is_head: bool) -> Json:
    """Ray's container with what it needs for it."""
    if not outlives_head(cluster):
        return container
    if not is_head:
        missing = [variable("RAY_gcs_rpc_server_reconnect_timeout_s", _RECONNECT_S)]
        return with_variables(container, missing=missing)
    if not _is_in_volume(cluster):
        return with_variables(container, missing=_redis_variables(cluster))
    missing = [variable("RAY_gcs_storage", "rocksdb"), variable("RAY_gcs_storage_path", _PATH)]
    mount = {"name": _VOLUME, "mountPath": _PATH}
    if part := _storage(cluster).get("subPath"):
        mount["subPath"] = part
    return with_mount(with_variables(container, missing=missing), mount)


def with_storage_volume(cluster: Json, spec: Json) -> Json:
    """The spec of the head's pod with the volume that is mounted."""
    if not _is_in_volume(cluster):
        return spec
    claim = {"claimName": _storage(cluster).get("claimName") or claim_name(cluster)}
    return with_volume(spec, {"name": _VOLUME, "persistentVolumeClaim": claim})


def volume_claim(cluster: Json) -> Json | None:
    """The claim of the volume, which is made once; None where there is none, or a person's own."""
    storage = _storage(cluster)
    if not _is_in_volume(cluster) or storage.get("claimName"):
        return None
    spec: Json = {
        "accessModes": storage.get("accessModes") or ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.get("size") or "1Gi"}},
    }
    if storage.get("storageClassName") is not None:
        spec["storageClassName"] = storage["storageClassName"]
    meta: Json = {
        "name": claim_name(cluster),
        "namespace": cluster["metadata"]["namespace"],
        "labels": {CLUSTER: name_of(cluster)},
    }
    if storage.get("deletionPolicy") != "Retain":
        meta["ownerReferences"] = owned_by(cluster)
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def claim_name(cluster: Json) -> str:
    """Of the claim that is made for a cluster."""
    return f"{name_of(cluster)}-gcs-pvc"


def _options(cluster: Json) -> Json:
    found: Json = cluster["spec"].get("gcsFaultToleranceOptions") or {}
    return found


def _storage(cluster: Json) -> Json:
    found: Json = _options(cluster).get("storage") or {}
    return found


def _is_in_volume(cluster: Json) -> bool:
    return bool(_options(cluster).get("backend") == "rocksdb")


def _redis_variables(cluster: Json) -> list[Json]:
    options, meta = _options(cluster), cluster["metadata"]
    annotated = (meta.get("annotations") or {}).get(NAMESPACE)
    namespace = options.get("externalStorageNamespace") or annotated or meta["uid"]
    found = [variable("RAY_external_storage_namespace", namespace)]
    if address := options.get("redisAddress"):
        found.append(variable("RAY_REDIS_ADDRESS", address))
    for name, key in (("REDIS_USERNAME", "redisUsername"), ("REDIS_PASSWORD", "redisPassword")):
        if options.get(key) is not None:
            found.append({"name": name, **options[key]})
    return found
