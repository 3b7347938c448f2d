"""A kubelet's part, step by step as a test asks for it: pods scheduled, run, and gone at last."""

from __future__ import annotations

from typing import Any

from raytui.backends.kubernetes.session import KubeSession

Json = dict[str, Any]


class Kubelet:
    """Pods of one namespace on one machine that exists in name only."""

    def __init__(self, session: KubeSession, namespace: str) -> None:
        self._session = session
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    def bind(self, name: str) -> None:
        """Put a pod on the machine: from now on it has to be told that the pod may be gone."""
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "machine"},
        }
        self._session.create(f"{self._pods}/{name}/binding", body)

    def run(self, name: str, ip: str = "10.0.0.9") -> None:
        """Its containers run."""
        self.bind(name)
        running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        self.tell(name, phase="Running", podIP=ip, containerStatuses=[_container(running)])

    def tell(self, name: str, **status: Any) -> None:
        """Write a pod's status."""
        self._session.patch(
            f"{self._pods}/{name}/status", [{"op": "add", "path": "/status", "value": status}]
        )

    def wait_for(self, name: str, reason: str, message: str) -> None:
        """Its container waits."""
        self.bind(name)
        waits = {"waiting": {"reason": reason, "message": message}}
        self.tell(name, phase="Pending", containerStatuses=[_container(waits)])

    def end(self, name: str) -> None:
        """A pod that was to be deleted has ended what it ran."""
        self._session.delete(f"{self._pods}/{name}", gracePeriodSeconds=0)


def _container(state: Json) -> Json:
    return {
        "name": "ray",
        "image": "ray",
        "imageID": "",
        "ready": "running" in state,
        "restartCount": 0,
        "state": state,
    }
