"""Tell a service manager how the daemon does: systemd's notify protocol (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send `READY=1` or the like to whoever started us as a service; else do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        # A leading @ stands for the NUL byte of Linux's abstract names.
        sender.connect("\0" + address[1:] if address[0] == "@" else address)
        sender.sendall(state.encode())
