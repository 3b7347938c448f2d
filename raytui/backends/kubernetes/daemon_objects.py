"""What runs raytui's daemon for one RayCluster: a Deployment, and exactly the rights it needs."""

from __future__ import annotations

from raytui import __version__
from raytui.backends.kubernetes.marks import APP, DAEMON_CONTAINER, DAEMON_OF
from raytui.backends.kubernetes.raycluster import API
from raytui.backends.kubernetes.session import Json
from raytui.config.kube_address import KubeAddress

DEFAULT_IMAGE = f"raytui:{__version__}"
"""What `docker build -t` of the project's Dockerfile is to be called, where all nodes find it."""

_STATE = "/var/lib/raytui"
_USER = 1000
_REQUESTS = {"cpu": "50m", "memory": "256Mi", "ephemeral-storage": "64Mi"}
_LIMITS = {"memory": "1Gi", "ephemeral-storage": "512Mi"}
"""What was measured, with room for clusters of thousands of nodes; a CPU limit would only slow
down the rounds in which much happens."""
_READY_EVERY_S = 15
_READY_WITHIN_S = 15


def name_of(cluster: str) -> str:
    """What all objects of the daemon of a RayCluster are called."""
    return f"{cluster}-raytui"


def daemon_objects(resource: Json, image: str = DEFAULT_IMAGE) -> list[Json]:
    """Service account, role, its binding and Deployment, in the order in which they are made.

    `resource` is the RayCluster as the API server gives it. All of it goes with the RayCluster.
    """
    rules = [
        {
            "apiGroups": ["ray.io"],
            "resources": ["rayclusters"],
            "resourceNames": [resource["metadata"]["name"]],
            "verbs": ["get", "patch"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]
    name = name_of(resource["metadata"]["name"])
    group = "rbac.authorization.k8s.io"
    subject = {
        "kind": "ServiceAccount",
        "name": name,
        "namespace": resource["metadata"]["namespace"],
    }
    return [
        _object(resource, "v1", "ServiceAccount"),
        {**_object(resource, f"{group}/v1", "Role"), "rules": rules},
        {
            **_object(resource, f"{group}/v1", "RoleBinding"),
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [subject],
        },
        {**_object(resource, "apps/v1", "Deployment"), "spec": _deployment(resource, image)},
    ]


def _object(resource: Json, api_version: str, kind: str) -> Json:
    meta = resource["metadata"]
    owner = {
        "apiVersion": API.removeprefix("/apis/"),
        "kind": "RayCluster",
        "name": meta["name"],
        "uid": meta["uid"],
    }
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name_of(meta["name"]),
            "namespace": meta["namespace"],
            "labels": _labels(meta["name"]),
            "ownerReferences": [owner],
        },
    }


def _labels(cluster: str) -> dict[str, str]:
    return {APP: "raytui", DAEMON_OF: cluster}


def _deployment(resource: Json, image: str) -> Json:
    meta = resource["metadata"]
    labels = _labels(meta["name"])
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two would scale one cluster
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "serviceAccountName": name_of(meta["name"]),
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "runAsGroup": _USER,
                    "fsGroup": _USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [_container(meta["namespace"], meta["name"], image)],
                "volumes": [
                    {"name": "state", "emptyDir": {}},
                    {"name": "tmp", "emptyDir": {}},
                ],
            },
        },
    }


def _container(namespace: str, name: str, image: str) -> Json:
    status = ["raytui", "daemon", "status", f"{namespace}.{name}"]
    return {
        "name": DAEMON_CONTAINER,
        "image": image,
        "args": ["--daemon", str(KubeAddress(name, namespace))],
        "env": [
            {"name": "XDG_STATE_HOME", "value": _STATE},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 (a volume of the pod's own)
        ],
        "resources": {"requests": _REQUESTS, "limits": _LIMITS},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Not ready says that it cannot act. There is no liveness probe: whatever hinders it (a
        # head that is down, a right that is missing) does not go away by a restart.
        "readinessProbe": {
            "exec": {"command": status},
            "initialDelaySeconds": 5,
            "periodSeconds": _READY_EVERY_S,
            "timeoutSeconds": _READY_WITHIN_S,
        },
        "volumeMounts": [
            {"name": "state", "mountPath": _STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (as above)
        ],
    }
