"""A namespace with a RayCluster for end-to-end tests: real Ray in pods, and drivers in its head."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.marks import DAEMON_OF
from tests.kubernetes.waiting import until
from tests.support.kube_cluster import KubeCluster, is_ready

Json = dict[str, Any]

_DRIVER = "import ray, time\nray.init('auto', logging_level='ERROR', log_to_driver=False)\n"


def group(name: str, cpus: int, **fields: Any) -> Json:
    """A worker group; Ray keeps to little memory."""
    return {
        "groupName": name,
        "replicas": 0,
        "minReplicas": 0,
        "maxReplicas": 3,
        "rayStartParams": {"object-store-memory": "100000000"},
        "template": _template(cpus),
        **fields,
    }


def _template(cpus: int) -> Json:
    amounts = {"cpu": str(cpus), "memory": "1Gi"}
    ray = {"name": "ray", "image": "ray", "resources": {"requests": amounts, "limits": amounts}}
    return {"spec": {"terminationGracePeriodSeconds": 2, "containers": [ray]}}


class Room:
    """One namespace, and the RayClusters in it."""

    def __init__(self, cluster: KubeCluster, folder: Path) -> None:
        """`folder` is for the state of who works on a laptop."""
        self.cluster = cluster
        self._folder = folder
        self.namespace = cluster.new_namespace()
        self.path = cluster.clusters(self.namespace)

    def create(self, name: str, *groups: Json, **spec: Any) -> None:
        """Make a RayCluster whose idle pods leave soon; the head has no CPUs for work."""
        head = {"num-cpus": "0", "object-store-memory": "100000000"}
        body = {
            "rayVersion": "2.60.0",
            "autoscalerOptions": {"idleTimeoutSeconds": 3},
            "headGroupSpec": {"rayStartParams": head, "template": _template(1)},
            "workerGroupSpecs": list(groups),
            **spec,
        }
        kind = {"apiVersion": "ray.io/v1", "kind": "RayCluster"}
        self.cluster.admin.create(self.path, {**kind, "metadata": {"name": name}, "spec": body})

    def read(self, name: str) -> Json:
        """A RayCluster as it is now."""
        return self.cluster.admin.get(f"{self.path}/{name}")

    def pods(self, name: str) -> list[Json]:
        """The worker pods of a RayCluster."""
        return self.cluster.pods(self.namespace, cluster=name, node_type="worker")

    def daemon(self, name: str) -> str:
        """The pod of a RayCluster's daemon, when it is ready."""

        def one() -> str:
            for pod in self.cluster.pods(self.namespace):
                meta = pod["metadata"]
                is_its = (meta.get("labels") or {}).get(DAEMON_OF) == name
                if is_its and is_ready(pod) and "deletionTimestamp" not in meta:
                    return str(meta["name"])
            return ""

        return until(one, "the daemon's pod is ready", 60)

    def install(self, name: str) -> None:
        """Have raytui be the autoscaler of a RayCluster."""
        self.raytui("k8s", "install", name, "-n", self.namespace, "--image", "raytui")

    def raytui(self, *words: str) -> str:
        """Run raytui as the administrator does on a laptop; gives its stdout."""
        env = {
            **os.environ,
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "XDG_STATE_HOME": str(self._folder / "state"),
        }
        done = subprocess.run(
            [sys.executable, "-m", "raytui", *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def clear(self) -> None:
        """Delete all that was made here: nobody else does."""
        here = f"namespaces/{self.namespace}"
        for path in (self.path, f"/apis/apps/v1/{here}/deployments", f"/api/v1/{here}/pods"):
            for found in self.cluster.admin.items(path):
                with suppress(NotFoundError):
                    self.cluster.admin.delete(f"{path}/{found['metadata']['name']}")
        self.cluster.until_pods(self.namespace, lambda pods: not pods, "no pods are left")

    def until_head(self, name: str) -> str:
        """Until the head is ready; the name of its pod."""
        pods = self.until(
            name, lambda found: found and is_ready(found[0]), "the head is ready", node_type="head"
        )
        return str(pods[0]["metadata"]["name"])

    def until(
        self,
        name: str,
        condition: Callable[[list[Json]], object],
        what: str,
        *,
        within_s: float = 90.0,
        node_type: str = "worker",
        **labels: str,
    ) -> list[Json]:
        """Until the worker pods of a RayCluster are so; gives them."""
        wanted = {"cluster": name, "node_type": node_type, **labels}
        return self.cluster.until_pods(
            self.namespace, condition, f"{name}: {what}", within_s, **wanted
        )

    def drive(self, head: str, code: str) -> Driver:
        """Run a driver's code in the head's pod, where `ray` is connected."""
        return Driver(self.cluster, self.namespace, head, _DRIVER + code)


class Driver:
    """A driver's program, which begins at once."""

    def __init__(self, cluster: KubeCluster, namespace: str, pod: str, code: str) -> None:
        self._answer: list[subprocess.CompletedProcess[str]] = []

        def run() -> None:
            words = ("python", "-c", code)
            self._answer.append(cluster.machine.exec(namespace, pod, *words, timeout=90))

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def said(self) -> str:
        """What it has printed when it has come to a good end."""
        self._thread.join(timeout=100)
        assert self._answer, "the driver did not end"
        assert self._answer[0].returncode == 0, self._answer[0].stderr
        return self._answer[0].stdout
