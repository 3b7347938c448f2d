"""RayClusters for tests, and what is read back of them."""

from __future__ import annotations

from typing import Any

from raytui.backends.base import LaunchRequest
from raytui.backends.kubernetes.provider import KubeRayProvider, Patience
from raytui.backends.kubernetes.session import KubeSession
from raytui.config.locations import ClusterPaths
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec

NAME = "demo"
Json = dict[str, Any]

SHORT = Patience(pods_s=1.0, deletes_s=1.0)
LONG = Patience(pods_s=15.0, deletes_s=15.0)


def template(cpu: str = "1") -> Json:
    """A pod template."""
    return {
        "spec": {
            "containers": [
                {"name": "ray", "image": "ray", "resources": {"requests": {"cpu": cpu}}}
            ],
            "terminationGracePeriodSeconds": 600,
        }
    }


def group(name: str, **fields: Any) -> Json:
    """A worker group of KubeRay."""
    return {
        "groupName": name,
        "replicas": 0,
        "minReplicas": 0,
        "maxReplicas": 10,
        "rayStartParams": {},
        "template": template(),
        **fields,
    }


def manifest(*groups: Json, **spec: Any) -> Json:
    """A RayCluster."""
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": NAME},
        "spec": {
            "rayVersion": "2.60.0",
            "headGroupSpec": {"rayStartParams": {}, "template": template()},
            "workerGroupSpecs": list(groups),
            **spec,
        },
    }


class World:
    """One RayCluster in a namespace, and a provider's daemon, which can be started anew."""

    def __init__(self, admin: KubeSession, namespace: str) -> None:
        self.admin = admin
        self.namespace = namespace
        self.paths = ClusterPaths(NAME)
        self.paths.dir.mkdir(parents=True, exist_ok=True)
        self.path = f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters"
        self.pods_path = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, *groups: Json, **spec: Any) -> Json:
        """Make the RayCluster."""
        return self.admin.create(self.path, manifest(*groups, **spec))

    def provider(
        self, session: KubeSession | None = None, patience: Patience = LONG
    ) -> KubeRayProvider:
        """What a daemon has that has just been started."""
        spec = ClusterSpec(
            cluster_name=NAME,
            provider=ProviderSpec("kuberay", {"namespace": self.namespace}),
            node_types={"headgroup": NodeType("headgroup", resources=Resources.of({"CPU": 1}))},
            head_node_type="headgroup",
        )
        return KubeRayProvider(spec, self.paths, session or self.admin, patience=patience)

    def read(self) -> Json:
        """The RayCluster as it is now."""
        return self.admin.get(f"{self.path}/{NAME}")

    def group(self, index: int = 0) -> Json:
        """A worker group of it as it is now."""
        found: Json = self.read()["spec"]["workerGroupSpecs"][index]
        return found

    def patch(self, path: str, value: Any) -> None:
        """Change it as a person would."""
        self.admin.patch(f"{self.path}/{NAME}", [{"op": "add", "path": path, "value": value}])

    def end_head(self) -> None:
        """Have the head's pod gone, for KubeRay to make another one."""
        for pod in self.admin.items(self.pods_path, labelSelector="ray.io/node-type=head"):
            self.admin.delete(f"{self.pods_path}/{pod['metadata']['name']}", gracePeriodSeconds=0)

    def workers(self) -> list[str]:
        """Names of the worker pods that are there, in order."""
        found = self.admin.items(self.pods_path, labelSelector="ray.io/node-type=worker")
        return sorted(pod["metadata"]["name"] for pod in found)


def wish(name: str, count: int, node_type: str = "cpu", *, whole: bool = False) -> LaunchRequest:
    """A launch request."""
    return LaunchRequest(name, node_type, count, all_or_nothing=whole)


def quota(world: World, *, used: int, pods: int) -> str:
    """Allow so many pods in the namespace, of which so many are there; where it is."""
    quotas = f"/api/v1/namespaces/{world.namespace}/resourcequotas"
    hard = {"pods": str(pods)}
    meta = {"name": "few"}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}
    world.admin.create(quotas, body)
    status = {"hard": hard, "used": {"pods": str(used)}}
    told = [{"op": "add", "path": "/status", "value": status}]
    world.admin.patch(f"{quotas}/few/status", told)
    return f"{quotas}/few"
