"""A client of a cluster, wherever its daemon is: here, on a head reached by SSH, or in a pod."""

from __future__ import annotations

from functools import partial

from raytui.backends.base import ProviderError
from raytui.client.daemon import DaemonClient
from raytui.client.dashboard_way import opening_for
from raytui.client.head_words import what_head_said
from raytui.client.transport import StdioTransport, Transport, TransportError, UnixTransport
from raytui.config.launched import recall
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import head_place
from raytui.launcher.place import Place, place_of
from raytui.launcher.reach import stream_to_head
from raytui.model.spec import ClusterSpec


def client_for(spec: ClusterSpec, paths: ClusterPaths, *, read_only: bool = False) -> DaemonClient:
    """A client of the cluster's daemon; nothing is connected yet.

    It notices when a cluster that was launched from here is taken down, and follows a head whose
    machine has moved. On Kubernetes a control socket here is of the pod that we are in ourselves.
    Raises ConfigError and ProviderError when nothing says where the head is.
    """
    place = place_of(spec)
    if place is Place.KUBERNETES and not paths.socket.exists():
        from raytui.client.kubernetes import KubernetesClient

        return KubernetesClient(spec, read_only=read_only)
    launched = recall(paths) is not None

    def is_down() -> bool:
        return launched and recall(paths) is None

    transport: Transport
    if place is Place.HEAD:
        head_place(spec, paths)
        explain = partial(what_head_said, spec, paths)
        transport = StdioTransport(partial(_bridge, spec, paths), is_down, explain)
    else:
        transport = UnixTransport(paths.socket, is_down)
    return DaemonClient(
        spec.cluster_name, transport, read_only, opening=partial(opening_for, spec, paths)
    )


def _bridge(spec: ClusterSpec, paths: ClusterPaths) -> list[str]:
    try:
        return stream_to_head(spec, paths, "daemon", "connect", "--stdio", "-c", spec.cluster_name)
    except ProviderError as error:
        raise TransportError(str(error)) from error
