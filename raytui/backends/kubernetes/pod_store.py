"""The Ray pods that one watch tells of, for all clusters of a namespace, or of all namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from raytui.backends.base import ProviderError, TransientError
from raytui.backends.kubernetes.closing import Closing
from raytui.backends.kubernetes.informer import Informer
from raytui.backends.kubernetes.pods import ALL_RAY_PODS, Pod, path_of, pod_of
from raytui.backends.kubernetes.session import Json, KubeSession

_SLOW = "the pods have not been listed yet"


class PodStore(Closing):
    """What is known of Ray's pods, which is asked for no cluster by itself. Thread-safe."""

    def __init__(
        self,
        session: KubeSession,
        namespace: str = "",
        *,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        """Without a namespace those of all; `on_change` as Informer has it."""
        path = path_of(namespace) if namespace else "/api/v1/pods"
        self._informer = Informer(
            session, path, keep=pod_of, on_change=on_change, labelSelector=ALL_RAY_PODS
        )

    def start(self) -> None:
        """Watch from now on."""
        self._informer.start()

    def close(self) -> None:
        """Watch no more."""
        self._informer.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    @property
    def error(self) -> ProviderError | None:
        """Why it cannot be known now which pods there are; None when all is well."""
        return self._informer.error

    def wait(self, within_s: float) -> bool:
        """Wait for the first listing; whether it is there."""
        return self._informer.wait(within_s)

    def of(self, namespace: str, cluster: str) -> list[Pod]:
        """A cluster's pods now; raises ProviderError while it cannot be known what there is."""
        if error := self._informer.error:
            raise _again(error)
        if not self._informer.synced:
            raise TransientError(_SLOW)
        return self.known(namespace, cluster)

    def known(self, namespace: str, cluster: str) -> list[Pod]:
        """A cluster's pods as they were known last; none before anything is known."""
        return [
            pod
            for pod in self._informer.all().values()
            if pod.cluster == cluster and pod.namespace == namespace
        ]

    def all(self) -> list[Pod]:
        """Every cluster's pods as they were known last."""
        return list(self._informer.all().values())

    def put(self, resource: Json) -> Pod:
        """Take in a pod that was just made, or told to go: who lists next must see it."""
        self._informer.put(resource)
        return pod_of(resource)

    def forget(self, resource: Json) -> None:
        """Take out a pod that was just deleted and is gone at once."""
        self._informer.forget(resource)


def _again(error: ProviderError) -> ProviderError:
    """An error of the watch's thread, for whoever asks on another one."""
    return type(error)(str(error), detail=error.detail)
