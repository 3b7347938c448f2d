"""Whether there is something to draw screens on: a terminal, or a browser behind a server."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time

_LEAVE_S = 5.0


def has_screen() -> bool:
    """True on a terminal, and where a server runs us for a browser; then we end with it."""
    if is_in_browser():
        threading.Thread(target=_end_with_server, name="end with server", daemon=True).start()
        return True
    return sys.stdout.isatty() and sys.stdin.isatty()


def is_in_browser() -> bool:
    """Whether the screens go to a browser."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def _end_with_server() -> None:
    """A server that was killed asks nobody to leave: the other end of our stdin is gone then."""
    hang_up = select.poll()
    hang_up.register(sys.stdin.fileno(), 0)
    hang_up.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LEAVE_S)
    os._exit(1)
