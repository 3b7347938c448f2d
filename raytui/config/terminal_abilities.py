"""What a terminal can show, as far as the environment says: Unicode, and how many colours."""

from __future__ import annotations

import os
import sys
from typing import Literal


def shows_unicode(wanted: Literal["auto"] | bool) -> bool:
    """Whether the terminal is to be given more than ASCII; by the locale where nobody says.

    Without any locale it is: terminals of today can, and containers seldom say so.
    """
    if wanted != "auto":
        return wanted
    if os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver"):
        return True
    # In the C locale Python itself sets LC_CTYPE so, for its own purposes (PEP 538, 540).
    own = sys.flags.utf8_mode and os.environ.get("LC_CTYPE") == "C.UTF-8"
    names = ("LC_ALL", "LANG") if own else ("LC_ALL", "LC_CTYPE", "LANG")
    said = next((value for name in names if (value := os.environ.get(name, ""))), "")
    return not said or "utf" in said.lower()


def colours() -> int:
    """How many colours the terminal has by what it calls itself; 0: none are to be used."""
    if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return 1 << 24
    term = os.environ.get("TERM", "")
    if term.lower() in ("", "dumb", "unknown"):
        return 0
    return 256 if term.endswith("-256color") else 16
