"""One SSH connection per host, opened when first needed, shared by all that goes on there."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

import paramiko
from msgspec import Struct

from raytui.backends.ssh.credentials import Credentials
from raytui.backends.ssh.errors import (
    AuthFailedError,
    ConnectionLostError,
    HungError,
    SshError,
    UnreachableError,
)
from raytui.backends.ssh.heartbeat import Heartbeat
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.target import SshTarget
from raytui.backends.ssh.wire import Wire, open_wire

_paramiko_log = logging.getLogger(f"{__name__}.paramiko")
_paramiko_log.setLevel(logging.CRITICAL)
"""It logs what it raises, with tracebacks, where screens are drawn."""


class Limits(Struct, frozen=True):
    """How long anything may take, in seconds."""

    connect_s: float = 10.0
    handshake_s: float = 15.0
    """From the first byte to the host's key, and again for each key offered and each channel."""
    beat_s: float = 5.0
    """A host is asked so often whether it is there."""
    silence_s: float = 15.0
    """A host that has not answered for so long is given up."""


class SshConnection:
    """A connection that is made when needed and made again when it broke. Thread-safe.

    Commands, forwarded ports and the like are channels of it. Every wait is bounded by `limits`.
    """

    def __init__(self, target: SshTarget, keys: HostKeys, limits: Limits | None = None) -> None:
        self.target = target
        self.keys = keys
        self.limits = limits or Limits()
        self._opening = threading.Lock()
        self._live: _Live | None = None

    def open_session(self) -> paramiko.Channel:
        """A channel for a command. Raises SshError."""
        return self._open("session")

    def open_direct(self, port: int) -> paramiko.Channel:
        """A channel to a port of the host's own loopback. Raises SshError."""
        return self._open("direct-tcpip", ("127.0.0.1", port))

    def open_to(self, address: str, port: int) -> paramiko.Channel:
        """A channel to a port of another host, as the host at the end reaches it; raises SshError.

        One that it cannot reach, or may not connect us to, is an SshError, too.
        """
        return self._open("direct-tcpip", (address, port))

    def lost(self, doing: str) -> SshError:
        """The error for a channel that ended before its time: broken, or fallen silent."""
        live = self._live
        if live and live.heartbeat.fell_silent:
            return HungError(
                self.target.name,
                f"no answer for {self.limits.silence_s:g} s while {doing}",
                "Look at the network and the machine; what was running may go on there.",
            )
        return ConnectionLostError(
            self.target.name,
            f"the connection ended while {doing}",
            "Try again: the connection is made anew.",
        )

    @property
    def is_open(self) -> bool:
        """True while the connection stands."""
        live = self._live
        return live is not None and live.transport.is_active()

    def close(self) -> None:
        """End the connection; the next use makes a new one."""
        with self._opening:
            live, self._live = self._live, None
        if live:
            live.close()

    def __enter__(self) -> SshConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, kind: str, to: tuple[str, int] | None = None) -> paramiko.Channel:
        """A connection that broke unnoticed shows now: one more try, on a new one."""
        from_here = ("127.0.0.1", 0) if to else None
        for _ in range(2):
            live = self._connected()
            try:
                return live.transport.open_channel(
                    kind, to, from_here, timeout=self.limits.handshake_s
                )
            except paramiko.ChannelException as error:
                raise SshError(
                    self.target.name,
                    f"the host refuses a {kind} channel: {error}",
                    "Its sshd_config may forbid it (MaxSessions, AllowTcpForwarding).",
                ) from error
            except (paramiko.SSHException, EOFError, OSError):
                self._drop(live)
        raise self.lost(f"opening a {kind} channel")

    def _drop(self, broken: _Live) -> None:
        with self._opening:
            if self._live is broken:
                self._live = None
        broken.close()

    def _connected(self) -> _Live:
        with self._opening:
            if self._live and self._live.transport.is_active():
                return self._live
            if self._live:
                self._live.close()
            self._live = _connect(self.target, self.keys, self.limits)
            return self._live


class _Live:
    def __init__(self, wire: Wire, transport: paramiko.Transport, limits: Limits) -> None:
        self.transport = transport
        self._wire = wire
        self.heartbeat = Heartbeat(transport, limits.beat_s, limits.silence_s)

    def close(self) -> None:
        self.heartbeat.stop()
        self.transport.close()
        self._wire.close()


def _connect(target: SshTarget, keys: HostKeys, limits: Limits) -> _Live:
    wire = open_wire(target, limits.connect_s)
    transport = paramiko.Transport(wire.socket)
    transport.set_log_channel(_paramiko_log.name)
    try:
        _shake_hands(transport, target, keys, limits)
        key = transport.get_remote_server_key()
        keys.check(target, key.get_name(), key.asbytes())
        _log_in(transport, target, limits)
    except _Ended as end:
        transport.close()
        raise _not_connected(target, end, wire.close()) from end.__cause__
    except BaseException:
        transport.close()
        wire.close()
        raise
    return _Live(wire, transport, limits)


class _Ended(Exception):  # noqa: N818 - an event, seen by nobody outside
    """The connection did not come about; `hung` when it was our patience that ended."""

    def __init__(self, during: str, *, hung: bool, words: str = "") -> None:
        super().__init__(during)
        self.during = during
        self.hung = hung
        self.words = words


def _not_connected(target: SshTarget, end: _Ended, proxy_words: str) -> SshError:
    words = proxy_words or end.words
    if end.hung:
        return HungError(
            target.name,
            f"connected, but no answer during {end.during}",
            "The machine may be starting or out of memory; if it stays so, restart it.",
            detail=words,
        )
    said = f": {words}" if words else ""
    whose = "Look at the proxy command" if target.proxy_command else "Is it an SSH server"
    return UnreachableError(
        target.name,
        f"the connection was closed during {end.during}{said}",
        f"{whose}, and does it let this machine in?",
        detail=words,
    )


def _shake_hands(
    transport: paramiko.Transport, target: SshTarget, keys: HostKeys, limits: Limits
) -> None:
    transport.banner_timeout = limits.handshake_s
    transport.auth_timeout = limits.handshake_s
    known = {key.key_type for key in keys.known(target) if not key.revoked}
    options = transport.get_security_options()
    options.key_types = tuple(sorted(options.key_types, key=lambda kind: _base(kind) not in known))
    with _told_apart("the handshake"):
        transport.start_client(timeout=limits.handshake_s)
        if not transport.initial_kex_done:
            raise _Ended("the handshake", hung=True)


def _base(algorithm: str) -> str:
    """RSA keys are one kind of key that signs in several ways."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm


def _log_in(transport: paramiko.Transport, target: SshTarget, limits: Limits) -> None:
    credentials = Credentials(target)
    tried = []
    for name, key in credentials.offers():
        tried.append(name)
        with _told_apart("the login"):
            try:
                transport.auth_publickey(target.user, key)
            except paramiko.AuthenticationException as error:
                if "timeout" in str(error).lower():
                    raise _Ended("the login", hung=True) from error
                if not transport.is_active():
                    break
                continue
        if transport.is_authenticated():
            return
    offered = f"tried: {', '.join(tried)}" if tried else "there was no key to try"
    raise AuthFailedError(
        target.name,
        f"{target.user} is not let in ({'; '.join([offered, *credentials.refused])})",
        "Set auth.ssh_user and auth.ssh_private_key to what the host knows, or use ssh-add.",
    )


@contextlib.contextmanager
def _told_apart(during: str) -> Iterator[None]:
    """Whatever ends a step early becomes _Ended: out of patience, or closed by the other side."""
    try:
        yield
    except paramiko.AuthenticationException:
        raise
    except (paramiko.SSHException, EOFError, OSError) as error:
        words = str(error)
        # paramiko tells of its own time-outs only where an error came from
        hung = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        raise _Ended(during, hung=hung, words=words) from error
