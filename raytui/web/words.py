"""What a browser tab says over its socket, read with suspicion."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

MOST_CELLS = 1000
"""Columns or rows of a terminal."""


class WordError(Exception):
    """Something was said that the page never says."""


class Typed(Struct, frozen=True):
    """Keys, the mouse, or a paste, as a terminal sends them."""

    text: str


class Resized(Struct, frozen=True):
    """The terminal's size, in cells."""

    width: int
    height: int


class Pinged(Struct, frozen=True):
    """Wants the same back."""

    value: str | float


class Focused(Struct, frozen=True):
    """Whether the tab has the keyboard."""

    has_it: bool


Said = Typed | Resized | Pinged | Focused


def read_word(line: str) -> Said:
    """One message of the page, `[kind, value]`; raises WordError for anything else."""
    try:
        said: list[Any] = msgspec.json.decode(line, type=list)
    except msgspec.DecodeError:
        raise WordError("no JSON list") from None
    match said:
        case ["stdin", str(text)]:
            return Typed(text)
        case ["resize", {"width": int(width), "height": int(height)}]:
            return Resized(cells(width), cells(height))
        case ["ping", str(value) | int(value) | float(value)]:
            return Pinged(value)
        case ["focus", *_]:
            return Focused(True)
        case ["blur", *_]:
            return Focused(False)
    raise WordError("not a word of the page")


def cells(number: int) -> int:
    """A number of columns or rows that a terminal may have."""
    return max(1, min(number, MOST_CELLS))
