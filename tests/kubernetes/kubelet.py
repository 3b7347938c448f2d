"""A kubelet's part, step by step as a test asks for it: pods scheduled, run, and gone at last."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from raytui.backends.base import ProviderError
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

    def run(self, name: str, ip: str = "10.0.0.9", since: datetime | None = None) -> None:
        """Its containers run, since now or since a time of UTC."""
        self.bind(name)
        self.start(name, ip, since)

    def start(self, name: str, ip: str = "10.0.0.9", since: datetime | None = None) -> None:
        """The same for a pod that is on the machine already."""
        started = since or datetime.now(UTC)
        running = {"running": {"startedAt": started.strftime("%Y-%m-%dT%H:%M:%SZ")}}
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

    def evict(self, name: str, message: str = "low on memory") -> None:
        """The machine has no room left for it, and says so."""
        self.bind(name)
        self.tell(name, phase="Failed", reason="Evicted", message=message)

    def end(self, name: str) -> None:
        """A pod that was to be deleted has ended what it ran."""
        self._session.delete(f"{self._pods}/{name}", gracePeriodSeconds=0)

    @contextmanager
    def running(self, after_s: float = 1.5) -> Iterator[None]:
        """While the block runs, every pod runs some time after it came, and goes when told to.

        One with an init container waits in it, on the machine, for a Ray that there is not.
        """
        ended = threading.Event()
        mind = threading.Thread(target=self._mind, args=(ended, after_s), daemon=True)
        mind.start()
        try:
            yield
        finally:
            ended.set()
            mind.join(timeout=10)

    def _mind(self, ended: threading.Event, after_s: float) -> None:
        seen: dict[str, float] = {}
        while not ended.wait(0.1):
            try:
                for pod in self._session.items(self._pods):
                    name = pod["metadata"]["name"]
                    came = seen.setdefault(name, time.monotonic())
                    if "deletionTimestamp" in pod["metadata"]:
                        self.end(name)
                    elif not pod["spec"].get("nodeName") and time.monotonic() - came >= after_s:
                        number = len(seen)
                        if pod["spec"].get("initContainers"):
                            self.bind(name)
                        else:
                            self.run(name, ip=f"10.0.{number >> 8}.{number & 255}")
            except ProviderError:
                continue  # the pod is gone meanwhile


def _container(state: Json) -> Json:
    return {
        "name": "ray",
        "image": "ray",
        "imageID": "",
        "ready": "running" in state,
        "restartCount": 0,
        "state": state,
    }
