"""The key that a host shows, asked for without logging in: for a person to look at."""

from __future__ import annotations

import contextlib
import socket

import paramiko

from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.errors import SshError, UnreachableError
from raytui.backends.ssh.target import SshTarget
from raytui.backends.ssh.wire import open_wire

_CONNECT_S = 10.0
_HANDSHAKE_S = 15.0


def ask_key(target: SshTarget) -> tuple[str, bytes]:
    """Type and blob of the key that the host shows us; raises SshError."""
    wire = open_wire(target, _CONNECT_S)
    try:
        return _shown(target, wire.socket)
    finally:
        wire.close()


def ask_key_through(target: SshTarget, through: SshConnection) -> tuple[str, bytes]:
    """The key that `target` shows to the host at the end of `through`; raises SshError."""
    try:
        channel = through.open_to(target.address, target.port)
    except SshError as error:
        what = f"{through.target.name} does not reach it: {error.what}"
        raise UnreachableError(target.name, what, "Is the machine up?") from error
    with contextlib.closing(channel):
        return _shown(target, channel)


def _shown(target: SshTarget, opened: socket.socket | paramiko.Channel) -> tuple[str, bytes]:
    transport = paramiko.Transport(opened)
    # paramiko tells of every end of a conversation, with a traceback.
    transport.set_log_channel(f"{__name__}.paramiko")
    transport.logger.disabled = True
    transport.banner_timeout = _HANDSHAKE_S
    try:
        transport.start_client(timeout=_HANDSHAKE_S)
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        what = f"it shows no host key: {error or type(error).__name__}"
        raise UnreachableError(target.name, what, "Is it an SSH server?") from error
    finally:
        transport.close()
    return key.get_name(), key.asbytes()
