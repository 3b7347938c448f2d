"""A port of this machine's loopback that leads to a port of a pod."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

from raytui.backends.base import ProviderError, TransientError
from raytui.backends.kubernetes.channels import V4, Channels
from raytui.backends.kubernetes.closing import Closing
from raytui.backends.kubernetes.session import KubeSession

_log = logging.getLogger(__name__)

_CHUNK = 32 << 10
_DATA, _ERROR = 0, 1
_PORT_LENGTH = 2
"""The first message of each channel is the port, which is known here."""


def forward(
    session: KubeSession, namespace: str, pod: str, port: int, local_port: int = 0
) -> Forwarding:
    """Listen on a port of 127.0.0.1 until closed, and lead each connection to the pod's port.

    Raises a typed ProviderError when the pod cannot be reached now, and OSError when `local_port`
    cannot be had; 0 is any free one. It finds nothing anew: when the
    pod is gone, connections are closed at once, and `error` says why.
    """
    # Tried once, so that who may not do it hears so now.
    _opened(session, namespace, pod, port).close()
    return Forwarding(session, namespace, pod, port, local_port)


class Forwarding(Closing):
    """The listening end. Each connection has a websocket of its own, and both end together."""

    def __init__(
        self, session: KubeSession, namespace: str, pod: str, port: int, local_port: int = 0
    ) -> None:
        self._session = session
        self._namespace = namespace
        self._pod = pod
        self._there = port
        self._listener = socket.create_server(("127.0.0.1", local_port))
        self.port = int(self._listener.getsockname()[1])
        """The local one."""
        self._lock = threading.Lock()
        self._is_closed = False
        self._joined: set[_Joined] = set()
        self._error: ProviderError | None = None
        self._accepting = threading.Thread(
            target=self._accept, name=f"forwarding to {pod}:{port}", daemon=True
        )
        self._accepting.start()

    @property
    def address(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self.port}"

    @property
    def error(self) -> ProviderError | None:
        """Why the newest connection was not led on; None when it was."""
        return self._error

    def close(self) -> None:
        """Listen no more, and end the connections that are there."""
        with self._lock:
            self._is_closed = True
            joined = list(self._joined)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in joined:
            one.cut()
        self._accepting.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                channels = _opened(self._session, self._namespace, self._pod, self._there)
            except ProviderError as error:
                self._error = error
                return
            with channels:
                joined = _Joined(client, channels)
                with self._lock:
                    if self._is_closed:
                        return
                    self._joined.add(joined)
                try:
                    self._error = joined.run(f"{self._pod}:{self._there}")
                finally:
                    with self._lock:
                        self._joined.discard(joined)


class _Joined:
    """A connection from here and its websocket."""

    def __init__(self, client: socket.socket, channels: Channels) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._channels = channels

    def run(self, there: str) -> ProviderError | None:
        """Copy both ways until one side ends; the error that the pod's machine has told."""
        sending = threading.Thread(target=self._send, daemon=True)
        sending.start()
        try:
            return self._receive(there)
        finally:
            self.cut()
            sending.join()

    def cut(self) -> None:
        """End both."""
        self._channels.cut()
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def _receive(self, there: str) -> ProviderError | None:
        greeted: set[int] = set()
        while (message := self._channels.receive()) is not None:
            channel, data = message
            if channel not in greeted:
                greeted.add(channel)
                data = data[_PORT_LENGTH:]
            if channel == _ERROR and data:
                words = data.decode(errors="replace")
                _log.info("forwarding to %s: %s", there, words)
                return TransientError(words)
            try:
                self._client.sendall(data)
            except OSError:
                return None
        return None

    def _send(self) -> None:
        """What is said here; its end ends all, since the protocol has no word for half an end."""
        with contextlib.suppress(OSError):
            while data := self._client.recv(_CHUNK):
                self._channels.send(_DATA, data)
        self._channels.cut()


def _opened(session: KubeSession, namespace: str, pod: str, port: int) -> Channels:
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    return session.channels(path, [("ports", str(port))], V4)
