"""Ways from this machine to the pods of a cluster on Kubernetes, above all to its head's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from raytui.backends.base import ConfigError
from raytui.backends.kubernetes import pods
from raytui.backends.kubernetes.driver import drivers_of
from raytui.backends.kubernetes.forwarding import forward
from raytui.backends.kubernetes.head_address import dashboard_port
from raytui.backends.kubernetes.head_pod import head_pod
from raytui.backends.kubernetes.named import access_of
from raytui.backends.kubernetes.pod_runner import PodRunner
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.spec import ClusterSpec


class PodReach:
    """A pod as reached from here, as `reach.Reach` is of a machine; it has no host around it."""

    def __init__(self, session: KubeSession, namespace: str, pod: str, ports: int = 0) -> None:
        self.address = pod
        self.inside = PodRunner(session, namespace, pod)
        self.host = self.inside
        self.dashboard_port = ports
        """Where Ray's dashboard listens there; 0 where there is none."""
        self._session = session
        self._namespace = namespace

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def terminal_argv(self, command: Sequence[str] = (), *, on_host: bool = False) -> list[str]:
        """An argv for a person at a terminal: `command`, or a shell, in Ray's container."""
        if on_host:
            raise ConfigError(f"the host of pod {self.address} is Kubernetes' own business")
        return self.inside.terminal_argv(command)

    @contextmanager
    def forward(self, port: int, local_port: int = 0) -> Iterator[int]:
        """A port of this machine that leads to one of the pod; 0 takes a free one.

        Raises ProviderError, and OSError when the local port cannot be had.
        """
        where = (self._session, self._namespace, self.address)
        with forward(*where, port, local_port) as forwarding:
            yield forwarding.port

    def close(self) -> None:
        """End what runs there on our behalf."""
        self.inside.close()


def reach_head(spec: ClusterSpec) -> PodReach:
    """The head's pod; raises ProviderError when none runs."""
    access = access_of(spec)
    session = KubeSession(access)
    pod = head_pod(session, access.namespace, spec.cluster_name)
    port = dashboard_port(spec.head.node_config)
    return PodReach(session, access.namespace, pod.name, port)


def stream_to_driver(spec: ClusterSpec, *command: str) -> list[str]:
    """The argv whose stdin and stdout are those of a command where raytui drives the cluster.

    Raises ProviderError, which says why nobody drives it and what to do.
    """
    access = access_of(spec)
    session = KubeSession(access)
    drivers = drivers_of(session, access.namespace, spec.cluster_name)
    if not drivers.pods:
        raise ConfigError(drivers.why_none)
    pod = drivers.pods[0]
    runner = PodRunner(session, pod.namespace, pod.name, pod.container)
    return runner.stream_command(command)


def head_ip(spec: ClusterSpec) -> str:
    """The address of the head's pod, which only pods reach; raises as `reach_head`."""
    access = access_of(spec)
    return head_pod(KubeSession(access), access.namespace, spec.cluster_name).instance.ip


def reach_node(spec: ClusterSpec, node: str) -> PodReach:
    """A pod of the cluster, by its name or address; raises ProviderError when there is none."""
    access = access_of(spec)
    session = KubeSession(access)
    which = pods.selector_of(spec.cluster_name)
    listed = session.items(pods.path_of(access.namespace), labelSelector=which)
    found = [pods.pod_of(one) for one in listed]
    for pod in found:
        if node in (pod.name, pod.instance.ip):
            return PodReach(session, access.namespace, pod.name)
    known = ", ".join(sorted(pod.name for pod in found)) or "none"
    raise ConfigError(f"no pod of {spec.cluster_name} is called {node}; there are: {known}")
