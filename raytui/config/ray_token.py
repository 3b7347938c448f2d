"""The token that a cluster of Ray may ask for, found where Ray's own programs find it.

Since Ray 2.60 `ray.init()` makes one in a person's home, and every `ray start` that finds one there
starts a cluster that asks for it.
"""

from __future__ import annotations

import os
from pathlib import Path

MODE = "RAY_AUTH_MODE"
"""`token` or `disabled`; Ray decides by whether there is a token where it is not set."""
_TOKEN = "RAY_AUTH_TOKEN"  # noqa: S105 - a variable's name
_PATH = "RAY_AUTH_TOKEN_PATH"


def mode() -> str:
    """What a `ray start` of this process would decide: `token` or `disabled`."""
    return os.environ.get(MODE, "").lower() or ("token" if _found() else "disabled")


def token() -> str:
    """The token to show to a cluster; empty when there is none or none is to be shown."""
    return _found() if mode() == "token" else ""


def is_meant_for_all() -> bool:
    """Whether a person named the token for this program, so that it may go to any host."""
    return bool(os.environ.get(_TOKEN) or os.environ.get(_PATH))


def _found() -> str:
    if given := os.environ.get(_TOKEN, "").strip():
        return given
    named = os.environ.get(_PATH)
    try:
        file = Path(named) if named else Path.home() / ".ray" / "auth_token"
        return file.read_text(encoding="ascii").strip()
    except (OSError, RuntimeError, UnicodeDecodeError):
        return ""
