"""KubeRay's part, played against a real API server: pods made and deleted as a RayCluster says.

It keeps the order of KubeRay 1.7's `reconcilePods`: pods that have ended are deleted first, then
those named in `workersToDelete`, then pods are made, or (its own autoscaler being off) any that are
too many deleted. Multi-host groups are made and deleted by whole replicas.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
)
from raytui.backends.kubernetes.marks import CREATED_BY, KUBERAY
from raytui.backends.kubernetes.objects import WorkerName, head_pod, head_service, worker_pod
from raytui.backends.kubernetes.session import KubeSession

_EVERY_S = 0.03
Json = dict[str, Any]


class KubeRay:
    """A controller of all RayClusters of one namespace, in a thread of its own."""

    def __init__(self, session: KubeSession, namespace: str, *, ray: bool = False) -> None:
        """With `ray`, pods have KubeRay's command and environment, and the head has its service."""
        self._session = session
        self._ray = ray
        self._clusters = f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._numbers = random.Random(7)
        self._ended = threading.Event()
        self.working = threading.Event()
        self.working.set()
        self.any_deleted: list[str] = []
        """Pods that were deleted since they were too many, and not since they were named."""
        self.made: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """It works while the block runs."""
        thread = threading.Thread(target=self._run, name="kuberay", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(timeout=10)

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            if not self.working.is_set():
                continue
            try:
                for cluster in self._session.items(self._clusters):
                    self.reconcile(cluster)
            except (ConflictError, NotFoundError):
                continue  # it changed meanwhile: look again
            except ProviderError:
                if not self._ended.is_set():
                    raise

    def reconcile(self, cluster: Json) -> None:
        """One round for one RayCluster."""
        name, spec = cluster["metadata"]["name"], cluster["spec"]
        pods = self._session.items(self._pods, labelSelector=f"ray.io/cluster={name}")
        failure = ""
        if spec.get("suspend"):
            for pod in pods:
                self._delete(pod)
        else:
            try:
                if not [p for p in pods if _label(p, "node-type") == "head"]:
                    self._make_service(cluster)
                    self._make(cluster, "head", "headgroup", spec["headGroupSpec"])
                for group in spec.get("workerGroupSpecs") or ():
                    mine = [p for p in pods if _label(p, "group") == group["groupName"]]
                    self._reconcile_group(cluster, group, mine)
            except ProviderError as error:
                if isinstance(error, NotFoundError):
                    raise
                failure = str(error)
        self._tell(cluster, failure)

    def _reconcile_group(self, cluster: Json, group: Json, pods: list[Json]) -> None:
        ended = [p for p in pods if p.get("status", {}).get("phase") in ("Failed", "Succeeded")]
        if group.get("suspend") or ended:
            for pod in ended or pods:
                self._delete(pod)
            return
        hosts = group.get("numOfHosts", 1)
        named = set((group.get("scaleStrategy") or {}).get("workersToDelete") or ())
        gone = {_replica(p) for p in pods if p["metadata"]["name"] in named}
        for pod in pods:
            if _replica(pod) in gone:
                self._delete(pod)
        if gone and hosts > 1:
            return
        left: dict[str, list[Json]] = {}
        for pod in pods:
            if _replica(pod) not in gone:
                left.setdefault(_replica(pod), []).append(pod)
        wanted = max(group["minReplicas"], min(group["replicas"], group["maxReplicas"]))
        for _ in range(wanted - len(left)):
            replica = f"{group['groupName']}-{self._numbers.randrange(36**5):05x}"
            for _ in range(hosts):
                self._make(cluster, "worker", group["groupName"], group, replica, hosts)
        if len(left) > wanted and not cluster["spec"].get("enableInTreeAutoscaling"):
            for replica in list(left)[: len(left) - wanted]:
                for pod in left[replica]:
                    self.any_deleted.append(pod["metadata"]["name"])
                    self._delete(pod)

    def _make(
        self, cluster: Json, kind: str, group: str, spec: Json, replica: str = "", hosts: int = 1
    ) -> None:
        if self._ray:
            body = self._of_ray(cluster, kind, group)
            made = self._session.create(self._pods, body)
            self.made.append(made["metadata"]["name"])
            return
        name = cluster["metadata"]["name"]
        labels = {
            "ray.io/cluster": name,
            "ray.io/node-type": kind,
            "ray.io/group": group,
            "ray.io/is-ray-node": "yes",
            **({"ray.io/worker-group-replica-name": replica} if hosts > 1 else {}),
        }
        template = spec["template"]["spec"]
        if kind == "head" and cluster["spec"].get("enableInTreeAutoscaling"):
            sidecar = {"name": "autoscaler", "image": "ray"}
            template = {**template, "containers": [*template["containers"], sidecar]}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": f"{name}-{group}-{kind}-", "labels": labels},
            "spec": template,
        }
        made = self._session.create(self._pods, body)
        self.made.append(made["metadata"]["name"])

    def _of_ray(self, cluster: Json, kind: str, group: str) -> Json:
        number = self._numbers.randrange(36**5)
        name = f"{cluster['metadata']['name']}-{group}-{kind}-{number:05x}"
        is_head = kind == "head"
        pod = head_pod(cluster) if is_head else worker_pod(cluster, group, WorkerName(name))
        pod["metadata"]["name"] = name
        pod["metadata"]["labels"][CREATED_BY] = KUBERAY
        return pod

    def _make_service(self, cluster: Json) -> None:
        if self._ray:
            service = head_service(cluster)
            with suppress(AlreadyExistsError):
                namespace = service["metadata"]["namespace"]
                self._session.create(f"/api/v1/namespaces/{namespace}/services", service)

    def _delete(self, pod: Json) -> None:
        with suppress(NotFoundError):
            self._session.delete(f"{self._pods}/{pod['metadata']['name']}")

    def _tell(self, cluster: Json, failure: str) -> None:
        """Write the status, if it is another; each time the RayCluster has a new version."""
        failed = {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreateWorkerPod",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        status = {
            "observedGeneration": cluster["metadata"]["generation"],
            "conditions": [{**failed, "message": failure}] if failure else [],
        }
        if status != cluster.get("status"):
            path = f"{self._clusters}/{cluster['metadata']['name']}/status"
            self._session.patch(path, [{"op": "add", "path": "/status", "value": status}])


def _label(pod: Json, key: str) -> str:
    return str(pod["metadata"]["labels"].get(f"ray.io/{key}", ""))


def _replica(pod: Json) -> str:
    """A pod of a group without multi-host replicas is one by itself."""
    return _label(pod, "worker-group-replica-name") or str(pod["metadata"]["name"])
