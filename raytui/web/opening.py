"""Showing the link to a browser of this machine without telling it to other users of it."""

from __future__ import annotations

import contextlib
import html
import os
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>raytui</title>
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0;url={link}"></head>
<body><a href="{link}">raytui</a></body></html>
"""


def has_browser() -> bool:
    """Whether a browser with windows can be here; one in a terminal would take ours."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def page_with(link: str) -> Iterator[Path]:
    """A file, readable to this user alone, that leads a browser to the link.

    What a program is started with can be read by every user of the machine, and the link is a
    secret.
    """
    with tempfile.TemporaryDirectory(prefix="raytui-web-") as folder:
        file = Path(folder) / "open.html"
        file.write_text(_PAGE.format(link=html.escape(link)), encoding="utf-8")
        yield file


def open_page(file: Path) -> bool:
    """Ask the user's browser to open a file; whether it was asked."""
    return webbrowser.open(file.as_uri())
