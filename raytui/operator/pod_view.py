"""The Ray pods of all clusters that the operator drives, and word of which cluster has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from raytui.backends.base import TransientError
from raytui.backends.kubernetes.pod_store import PodStore
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.session import KubeSession

Cluster = tuple[str, str]
"""Namespace and name."""


class PodView:
    """One watch for each namespace, or one for all. Thread-safe."""

    def __init__(
        self, session: KubeSession, namespaces: Sequence[str], changed: Callable[[Cluster], None]
    ) -> None:
        """`namespaces` is empty for all. `changed` is told of a cluster in a thread of ours."""
        self._changed = changed
        self._lock = threading.Lock()
        self._known: dict[Cluster, tuple[Pod, ...]] = {}
        self._stores = {
            name: PodStore(session, name, on_change=self._look) for name in namespaces or [""]
        }

    def start(self, within_s: float) -> None:
        """Read all of them and watch; raises TransientError when that takes too long."""
        for store in self._stores.values():
            store.start()
        if not all(store.wait(within_s) for store in self._stores.values()):
            raise TransientError(f"the pods were not listed within {within_s:.0f} s")
        self._look()

    def close(self) -> None:
        """Watch no longer."""
        for store in self._stores.values():
            store.close()

    def trouble(self) -> str:
        """Why pods cannot be listed or watched now; empty when all is well."""
        return "; ".join(str(store.error) for store in self._stores.values() if store.error)

    def store_of(self, namespace: str) -> PodStore:
        """Where the pods of a namespace are."""
        return self._stores.get(namespace) or self._stores[""]

    def of(self, namespace: str, cluster: str) -> list[Pod]:
        """A cluster's pods as they were known last; what this process has made is known."""
        return self.store_of(namespace).known(namespace, cluster)

    def _look(self) -> None:
        found: dict[Cluster, list[Pod]] = {}
        for store in self._stores.values():
            for pod in store.all():
                found.setdefault((pod.namespace, pod.cluster), []).append(pod)
        now = {cluster: tuple(pods) for cluster, pods in found.items()}
        with self._lock:
            before, self._known = self._known, now
        for cluster in now.keys() | before.keys():
            if now.get(cluster) != before.get(cluster):
                self._changed(cluster)
