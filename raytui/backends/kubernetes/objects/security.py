"""Ray's tokens and TLS in a pod, as a RayCluster's `authOptions` and `tlsOptions` ask for them."""

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

_TOKEN_KEY = "auth_token"  # noqa: S105 (the name of a key)
_TOKEN_VOLUME = "ray-token"  # noqa: S105 (the name of a volume)
_TOKEN_PATH = "/var/run/secrets/ray.io/serviceaccount"  # noqa: S105 (a path)
_TLS_VOLUME = "ray-tls"
_TLS_PATH = "/etc/ray/tls"


def secured(cluster: Json, container: Json) -> Json:
    """A container in which Ray runs, with what Ray needs for the cluster's tokens and TLS."""
    found = container
    if _has_tokens(cluster):
        found = with_variables(found, missing=_token_variables(cluster))
        if _asks_kubernetes(cluster):
            mount = {"name": _TOKEN_VOLUME, "mountPath": _TOKEN_PATH, "readOnly": True}
            found = with_mount(found, mount)
    if _has_tls(cluster):
        found = with_variables(found, missing=_tls_variables())
        mount = {"name": _TLS_VOLUME, "mountPath": _TLS_PATH, "readOnly": True}
        found = with_mount(found, mount)
    return found


def with_secrets(cluster: Json, spec: Json, *, is_head: bool) -> Json:
    """A pod's spec with the volumes that `secured` mounts.

    The certificates are those of KubeRay's names. Where nobody has made them the pod waits, and
    Ray does not run without TLS.
    """
    found = spec
    if _has_tokens(cluster) and _asks_kubernetes(cluster):
        source = {"serviceAccountToken": {"path": "token"}}
        volume = {"name": _TOKEN_VOLUME, "projected": {"sources": [source]}}
        found = with_volume(found, volume)
    if _has_tls(cluster):
        kind = "head" if is_head else "worker"
        secret = {"secretName": f"ray-{kind}-secret-{name_of(cluster)}"}
        found = with_volume(found, {"name": _TLS_VOLUME, "secret": secret})
    return found


def token_secret(cluster: Json, token: str) -> Json | None:
    """The secret that Ray's nodes have their token from; None where a person has named one."""
    if not _has_tokens(cluster) or _asks_kubernetes(cluster) or _options(cluster).get("secretName"):
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name_of(cluster),
            "namespace": cluster["metadata"]["namespace"],
            "labels": {CLUSTER: name_of(cluster)},
            "ownerReferences": owned_by(cluster),
        },
        "stringData": {_TOKEN_KEY: token},
    }


def _options(cluster: Json) -> Json:
    found: Json = cluster["spec"].get("authOptions") or {}
    return found


def _has_tokens(cluster: Json) -> bool:
    return _options(cluster).get("mode") == "token"


def _asks_kubernetes(cluster: Json) -> bool:
    return bool(_options(cluster).get("enableK8sTokenAuth"))


def _has_tls(cluster: Json) -> bool:
    return bool((cluster["spec"].get("tlsOptions") or {}).get("enabled"))


def _token_variables(cluster: Json) -> list[Json]:
    mode = variable("RAY_AUTH_MODE", "token")
    if _asks_kubernetes(cluster):
        return [mode, variable("RAY_ENABLE_K8S_TOKEN_AUTH", "true")]
    secret = {"name": _options(cluster).get("secretName") or name_of(cluster), "key": _TOKEN_KEY}
    return [mode, {"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": secret}}]


def _tls_variables() -> list[Json]:
    return [
        variable("RAY_USE_TLS", "1"),
        variable("RAY_TLS_SERVER_CERT", f"{_TLS_PATH}/tls.crt"),
        variable("RAY_TLS_SERVER_KEY", f"{_TLS_PATH}/tls.key"),
        variable("RAY_TLS_CA_CERT", f"{_TLS_PATH}/ca.crt"),
    ]
