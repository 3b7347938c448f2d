"""A socket that one thread may read while another writes, also under TLS."""

from __future__ import annotations

import select
import socket
import ssl
import threading

_POLL_MS = 60_000


class SharedSocket:
    """What websocket-client needs of a socket; calls wait as long as it takes.

    OpenSSL allows one call at a time on a connection: waiting is done outside of it. `shutdown`, by
    any thread, ends the waits of others.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._fd = sock.fileno()
        self._lock = threading.Lock()
        self._is_shut = False

    def recv(self, size: int) -> bytes:
        """Some bytes; empty at the end."""
        while True:
            with self._lock:
                if self._is_shut:
                    return b""  # what may still lie there is no longer deciphered
                try:
                    return self._sock.recv(size)
                except (BlockingIOError, ssl.SSLWantReadError):
                    wanted = select.POLLIN
                except ssl.SSLWantWriteError:
                    wanted = select.POLLOUT
            self._wait(wanted)

    def send(self, data: bytes) -> int:
        """Send some of the bytes; how many."""
        while True:
            with self._lock:
                if self._is_shut:
                    raise BrokenPipeError("the connection was ended here")
                try:
                    return self._sock.send(data)
                except (BlockingIOError, ssl.SSLWantWriteError):
                    wanted = select.POLLOUT
                except ssl.SSLWantReadError:
                    wanted = select.POLLIN
            self._wait(wanted)

    def shutdown(self, how: int) -> None:
        """End the connection, but keep its number, which nobody else must get meanwhile."""
        with self._lock:
            self._is_shut = True
            self._sock.shutdown(how)

    def close(self) -> None:
        """Let go of it; by the thread that reads, or when nobody does."""
        with self._lock:
            self._sock.close()

    def fileno(self) -> int:
        """Its number."""
        return self._sock.fileno()

    def gettimeout(self) -> float | None:
        """None: it waits."""
        return None

    def settimeout(self, seconds: float | None) -> None:
        """Not heeded: TCP itself finds out about a peer that is gone."""

    def _wait(self, wanted: int) -> None:
        poll = select.poll()
        poll.register(self._fd, wanted)
        poll.poll(_POLL_MS)
