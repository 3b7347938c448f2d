"""Who an object belongs to: the labels by which it is found, and the RayCluster that owns it."""

from __future__ import annotations

from raytui.backends.kubernetes.marks import APP, CREATED_BY, OPERATOR
from raytui.backends.kubernetes.objects.names import label, name_of
from raytui.backends.kubernetes.pods import CLUSTER, KIND
from raytui.backends.kubernetes.raycluster import API
from raytui.backends.kubernetes.session import Json

IDENTIFIER = "ray.io/identifier"
_KUBERAY = "kuberay"
"""The application's name that dashboards and policies for KubeRay's clusters look for."""


def node_labels(cluster: Json, kind: str) -> dict[str, str]:
    """What the pods of a kind (`head` or `worker`) have, and the service of the head too."""
    return {
        CLUSTER: label(name_of(cluster)),
        KIND: kind,
        IDENTIFIER: label(f"{name_of(cluster)}-{kind}"),
        APP: _KUBERAY,
        CREATED_BY: OPERATOR,
    }


def owned_by(cluster: Json) -> list[Json]:
    """The `ownerReferences` of what goes with a RayCluster, which cannot go before it."""
    return [
        {
            "apiVersion": API.removeprefix("/apis/"),
            "kind": "RayCluster",
            "name": name_of(cluster),
            "uid": cluster["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
