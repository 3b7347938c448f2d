"""Many RayClusters with their pods, as KubeRay makes them: full-sized, and all running."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from raytui.backends.kubernetes.session import KubeSession

Json = dict[str, Any]

_ENV = (
    "CLUSTER_NAME",
    "RAY_CLOUD_INSTANCE_ID",
    "RAY_NODE_TYPE_NAME",
    "KUBERAY_GEN_RAY_START_CMD",
    "RAY_PORT",
    "RAY_ADDRESS",
    "RAY_USAGE_STATS_KUBERAY_IN_USE",
    "RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE",
)
_PROBE = {
    "exec": {
        "command": [
            "bash",
            "-c",
            "wget -T 2 -q -O- http://localhost:52365/api/local_raylet_healthz | grep success",
        ]
    },
    "initialDelaySeconds": 30,
    "timeoutSeconds": 2,
    "periodSeconds": 5,
    "successThreshold": 1,
    "failureThreshold": 120,
}


class Many:
    """RayClusters in namespaces that are there already."""

    def __init__(self, session: KubeSession, threads: int = 8) -> None:
        self._session = session
        self._threads = threads

    def make(self, namespaces: Sequence[str], clusters: int, pods: int) -> None:
        """So many clusters in all, in turn over the namespaces, each with a head and workers."""
        places = [(namespaces[n % len(namespaces)], f"demo-{n:03d}") for n in range(clusters)]
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(lambda place: self.cluster(*place, workers=pods - 1), places))
            wanted = [(*place, number) for place in places for number in range(pods)]
            list(pool.map(lambda one: self.pod(*one), wanted))

    def cluster(self, namespace: str, name: str, *, workers: int, **meta: Any) -> Json:
        """One RayCluster."""
        group = {"groupName": "cpu", "replicas": workers, "minReplicas": 0, "maxReplicas": 100}
        body = {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "metadata": {"name": name, **meta},
            "spec": {
                "rayVersion": "2.60.0",
                "headGroupSpec": {"rayStartParams": {}, "template": {"spec": _spec()}},
                "workerGroupSpecs": [
                    {**group, "rayStartParams": {}, "template": {"spec": _spec()}}
                ],
            },
        }
        return self._session.create(f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters", body)

    def pod(self, namespace: str, cluster: str, number: int) -> None:
        """A pod of a cluster, which runs; number 0 is the head."""
        is_head = number == 0
        name = f"{cluster}-head" if is_head else f"{cluster}-worker-cpu-{number:03d}"
        labels = {
            "app.kubernetes.io/created-by": "kuberay-operator",
            "app.kubernetes.io/name": "kuberay",
            "ray.io/cluster": cluster,
            "ray.io/group": "headgroup" if is_head else "cpu",
            "ray.io/identifier": f"{cluster}-{'head' if is_head else 'worker'}",
            "ray.io/is-ray-node": "yes",
            "ray.io/node-type": "head" if is_head else "worker",
        }
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels},
            "spec": _spec(nodeName="machine"),
        }
        self._session.create(f"/api/v1/namespaces/{namespace}/pods", body)
        self.tell(namespace, name, ready=True)

    def tell(self, namespace: str, pod: str, *, ready: bool) -> None:
        """What the kubelet says of a pod."""
        container = {
            "name": "ray",
            "image": "rayproject/ray:2.60.0",
            "imageID": "docker.io/rayproject/ray@sha256:" + "0" * 64,
            "containerID": "containerd://" + "0" * 64,
            "ready": ready,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }
        status = {
            "phase": "Running",
            "podIP": "10.0.0.9",
            "hostIP": "10.1.0.1",
            "startTime": "2026-01-01T00:00:00Z",
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [container],
        }
        self._session.patch(
            f"/api/v1/namespaces/{namespace}/pods/{pod}/status",
            [{"op": "add", "path": "/status", "value": status}],
        )


def _spec(**more: Any) -> Json:
    ports = (("gcs", 6379), ("dashboard", 8265), ("client", 10001), ("metrics", 8080))
    container = {
        "name": "ray",
        "image": "rayproject/ray:2.60.0",
        "command": ["/bin/bash", "-c", "--"],
        "args": ["ulimit -n 65536; ray start --block --dashboard-agent-listen-port=52365"],
        "env": [{"name": name, "value": f"value of {name}"} for name in _ENV],
        "ports": [{"name": name, "containerPort": port} for name, port in ports],
        "resources": {
            "limits": {"cpu": "4", "memory": "16Gi"},
            "requests": {"cpu": "4", "memory": "16Gi"},
        },
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    }
    shared = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}
    return {"containers": [container], "volumes": [shared], **more}
