"""How numbers read: the same thing has the same form on every screen, in every line and log."""

from __future__ import annotations

import re
from datetime import datetime

_TO_SPACE = frozenset("\t\n\r\v\f\u2028\u2029\xa0")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

MEMORY_RESOURCES = frozenset({"memory", "object_store_memory"})
"""Resources that Ray counts in bytes."""


def amount_text(resource: str, amount: float) -> str:
    """One amount with its unit: bytes as KiB to TiB, everything else as a plain number."""
    if resource in MEMORY_RESOURCES:
        return bytes_text(amount)
    return f"{amount:.4f}".rstrip("0").rstrip(".") if amount % 1 else f"{amount:.0f}"


def bytes_text(size: float) -> str:
    """A size in bytes: `512 B`, `3.6 GiB`."""
    if abs(size) < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024
        if abs(size) < 1024 or unit == "TiB":
            break
    digits = 0 if size >= 100 or size == int(size) else 1
    return f"{size:.{digits}f} {unit}"


def duration_text(seconds: float) -> str:
    """A length of time, short: `0m48s`, `3m12s`, `1h04m`, `2d03h`. Below zero counts as zero."""
    whole = max(0, round(seconds))
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    hours = minutes // 60
    return f"{hours // 24}d{hours % 24:02d}h"


def clock_text(at: float) -> str:
    """A moment (unix seconds) as local wall clock: `14:03:21`."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S")


def money_text(usd_per_hour: float | None) -> str:
    """A price per hour: `$0.20/h`, `$0.0111/h` when it is small, `–` when unknown."""
    if usd_per_hour is None:
        return "–"
    digits = 2 if usd_per_hour == 0 or usd_per_hour >= 0.1 else 4
    return f"${usd_per_hour:,.{digits}f}/h"


def count_text(count: int, noun: str, plural: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def first_line(text: str) -> str:
    """The first line that says something, without the space around it; empty if none does."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def plain(text: str) -> str:
    """Text of a cluster made harmless for one line of a terminal.

    Names, errors and log lines come from elsewhere: colours are left out, other
    escape sequences, control characters and marks that turn the writing direction become `·`, line
    breaks and tabs become spaces.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else " " if c in _TO_SPACE or c.isspace() else "·"
        for c in _COLOUR.sub("", text)
    )
