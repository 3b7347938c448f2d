"""A port of this machine's loopback that leads to a port of the host's loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import paramiko

from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.errors import SshError

_CHUNK = 64 << 10


@contextlib.contextmanager
def forwarded(connection: SshConnection, remote_port: int, local_port: int = 0) -> Iterator[int]:
    """Listen on 127.0.0.1 as long as the context lasts; gives the local port (0: any free one).

    A connection that the host refuses is closed, as if nobody listened. Raises OSError when
    `local_port` is taken, SshError when the host cannot be reached at all.
    """
    connection.open_session().close()
    listener = socket.create_server(("127.0.0.1", local_port))
    tunnel = _Tunnel(connection, remote_port, listener)
    try:
        yield listener.getsockname()[1]
    finally:
        tunnel.close()


class _Tunnel:
    def __init__(self, connection: SshConnection, port: int, listener: socket.socket) -> None:
        self._connection = connection
        self._port = port
        self._listener = listener
        self._open: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept, name="ssh-forward", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """No new connections, and an end to those that are there."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for client in list(self._open):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            with contextlib.suppress(SshError, OSError, EOFError, paramiko.SSHException):
                channel = self._connection.open_direct(self._port)
                with contextlib.closing(channel):
                    self._join(client, channel)
            self._open.discard(client)

    def _join(self, client: socket.socket, channel: paramiko.Channel) -> None:
        """Copy both ways; the end of one direction is passed on, the other may go on."""
        inward = threading.Thread(target=_upstream, args=(client, channel), daemon=True)
        inward.start()
        while data := channel.recv(_CHUNK):
            client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        inward.join()


def _upstream(client: socket.socket, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := client.recv(_CHUNK):
            channel.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        channel.shutdown_write()
