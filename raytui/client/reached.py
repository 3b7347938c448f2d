"""A client of a cluster, wherever its daemon is: on this machine, or on a head reached by SSH."""

from __future__ import annotations

from functools import partial

from raytui.backends.base import ProviderError
from raytui.client.daemon import DaemonClient
from raytui.client.head_words import what_head_said
from raytui.client.transport import StdioTransport, Transport, TransportError, UnixTransport
from raytui.config.launched import recall
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import head_place
from raytui.launcher.reach import is_remote, stream_to_head
from raytui.model.spec import ClusterSpec


def client_for(spec: ClusterSpec, paths: ClusterPaths, *, read_only: bool = False) -> DaemonClient:
    """A client of the cluster's daemon; nothing is connected yet.

    It notices when a cluster that was launched from here is taken down, and follows a head whose
    machine has moved. Raises ConfigError and ProviderError when nothing says where the head is.
    """
    launched = recall(paths) is not None

    def is_down() -> bool:
        return launched and recall(paths) is None

    transport: Transport
    if is_remote(spec):
        head_place(spec, paths)
        explain = partial(what_head_said, spec, paths)
        transport = StdioTransport(partial(_bridge, spec, paths), is_down, explain)
    else:
        transport = UnixTransport(paths.socket, is_down)
    return DaemonClient(spec.cluster_name, transport, read_only)


def _bridge(spec: ClusterSpec, paths: ClusterPaths) -> list[str]:
    try:
        return stream_to_head(spec, paths, "daemon", "connect", "--stdio", "-c", spec.cluster_name)
    except ProviderError as error:
        raise TransportError(str(error)) from error
