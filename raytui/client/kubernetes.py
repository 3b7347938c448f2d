"""A cluster on Kubernetes as seen from a terminal, whoever drives it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes import pods
from raytui.backends.kubernetes.driver import DriverPod, Drivers, drivers_of
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.events import cluster_events, pod_events
from raytui.backends.kubernetes.logs import container_log
from raytui.backends.kubernetes.named import access_of
from raytui.backends.kubernetes.pod_runner import PodRunner
from raytui.backends.kubernetes.session import KubeSession
from raytui.client.asking import asked
from raytui.client.daemon import DaemonClient
from raytui.client.dashboard_way import through_pod
from raytui.client.kube_pods import KubePods
from raytui.client.transport import (
    ClusterDownError,
    StdioTransport,
    Stream,
    TransportError,
)
from raytui.model.happening import Happening
from raytui.model.spec import ClusterSpec

_NOT_RUN = 255
"""Exit code of a command in a pod that did not come to run."""
_FORBIDDEN = "403 Forbidden"
_NO_DAEMON = "no daemon listens"


class KubernetesClient(DaemonClient):
    """See ClusterClient; what is of pods is asked with the user's own rights, not the daemon's."""

    def __init__(self, spec: ClusterSpec, *, read_only: bool = False) -> None:
        """A spec that knows the way to its RayCluster."""
        super().__init__(
            spec.cluster_name,
            KubernetesTransport(spec),
            read_only,
            opening=lambda _: lambda: through_pod(spec),
        )
        self.pods = KubePods(access_of(spec))
        self._session = KubeSession(access_of(spec))
        self._namespace = access_of(spec).namespace

    async def log_tail(self, instance_id: str, lines: int = 200) -> list[str]:
        """The last lines that Ray's container of a pod has printed."""
        path = pods.path_of(self._namespace, instance_id)

        def read() -> list[str]:
            pod = self._session.get(path)
            container = pod["spec"]["containers"][0]["name"]
            found = container_log(
                self._session, self._namespace, instance_id, container, tail=lines
            )
            with found:
                return [line.decode(errors="replace") for line in found]

        return await asked(read)

    async def happenings(self, instance_id: str = "") -> Sequence[Happening]:
        """What Kubernetes has said of a pod, or of the RayCluster."""

        def read() -> Sequence[Happening]:
            if instance_id:
                return pod_events(self._session, self._namespace, instance_id)
            return cluster_events(self._session, self._namespace, self.name)

        return await asked(read)


class KubernetesTransport:
    """To whoever drives a cluster at the moment; where nobody does, to an engine that watches."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._spec = spec
        self._access = access_of(spec)
        self._session = KubeSession(self._access)
        self._tried = 0
        self._barred = ""
        """Why the driver cannot be spoken with, though it is there."""

    async def open(self) -> Stream:
        """See Transport."""
        from raytui.client.watching import watched

        drivers = await asyncio.to_thread(self._drivers)
        barred, self._barred = self._barred, ""
        if not drivers.pods or barred:
            return await watched(self._spec, barred or drivers.why_none)
        # Of several operators only the one that leads has the cluster.
        pod = drivers.pods[self._tried % len(drivers.pods)]
        self._tried += 1
        return await StdioTransport(self._bridge_to(pod), explain=partial(self._told, pod)).open()

    def _drivers(self) -> Drivers:
        name = self._spec.cluster_name
        try:
            return drivers_of(self._session, self._access.namespace, name)
        except NotFoundError as error:
            raise ClusterDownError(f"there is no RayCluster {name} any more ({error})") from error
        except ProviderError as error:
            raise TransportError(str(error)) from error

    def _bridge_to(self, pod: DriverPod) -> list[str]:
        runner = PodRunner(self._session, pod.namespace, pod.name, pod.container)
        cluster = f"{self._access.namespace}.{self._spec.cluster_name}"
        return runner.stream_command(["raytui", "daemon", "connect", "--stdio", "-c", cluster])

    def _told(self, pod: DriverPod, code: int, words: str) -> TransportError:
        """Why a conversation ended that had begun, or not."""
        if code == _NOT_RUN and _FORBIDDEN in words:
            self._barred = (
                f"you may not speak with raytui in pod {pod.namespace}/{pod.name}, which needs "
                f"create on pods/exec ({words})"
            )
        elif _NO_DAEMON in words:
            return TransportError(f"pod {pod.name} does not drive {self._spec.cluster_name} (yet)")
        return TransportError(f"pod {pod.name}: {words or f'exit code {code}'}")
