"""Whether there is something to draw screens on: a terminal, or a browser behind a server."""

from __future__ import annotations

import os
import sys


def has_screen() -> bool:
    """True on a terminal, and where textual-serve runs us for a browser."""
    return (sys.stdout.isatty() and sys.stdin.isatty()) or is_in_browser()


def is_in_browser() -> bool:
    """Whether the screens go to a browser."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")
