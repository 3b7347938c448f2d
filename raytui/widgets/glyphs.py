"""Every sign beyond ASCII in its ASCII form, put in its place where lines become a terminal's."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = {
    # States, and what stands before a row.
    "●": "*", "◐": "~", "◌": ".", "○": "o", "◉": "@", "▽": "v", "✕": "x", "✗": "x", "⏸": "=",
    "■": "#", "□": "-", "▸": ">", "▶": ">", "▾": "v", "▼": "v", "▴": "^", "▲": "^", "✓": "+",
    "⚠": "!", "◆": "*", "◇": "o", "★": "*", "☆": "*", "⏎": ">", "▪": "*", "▫": ".",
    # Bars and trends.
    "█": "#", "▉": "#", "▊": "#", "▋": "=", "▌": "=", "▍": "-", "▎": "-", "▏": "-", "▐": "=",
    "░": ".", "▒": ":", "▓": "#", "▁": "_", "▂": "_", "▃": "-", "▄": "-", "▅": "=", "▆": "=",
    "▇": "#", "▀": "-", "▔": "-", "▕": "|",
    # Frames and trees.
    "─": "-", "━": "-", "│": "|", "┃": "|", "═": "=", "║": "|", "╌": "-", "┄": "-", "╎": "|",
    "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+",
    "╭": "+", "╮": "+", "╰": "+", "╯": "+", "┏": "+", "┓": "+", "┗": "+", "┛": "+", "┣": "+",
    "┫": "+", "┳": "+", "┻": "+", "╋": "+", "╔": "+", "╗": "+", "╚": "+", "╝": "+", "╺": "-",
    "╸": "-", "╷": "|", "╵": "|", "╶": "-", "╴": "-", "▖": ".", "▗": ".", "▘": "'", "▝": "'",
    # Between words.
    "·": "-", "•": "*", "…": "~", "–": "-", "—": "-", "−": "-", "“": '"', "”": '"',
    "‘": "'", "’": "'",
    "×": "x", "→": ">", "←": "<", "↑": "^", "↓": "v", "↳": ">", "↻": "@", "≤": "<", "≥": ">",
    "≈": "~", "±": "~", "µ": "u", "°": "'", "\u00a0": " ",
}  # fmt: skip
ASCII_SIGNS: Mapping[int, str] = str.maketrans(_SIGNS)
"""One column for one column, so that nothing moves."""

_BRAILLE = range(0x2800, 0x2900)


@lru_cache(8_192)
def in_ascii(text: str) -> str:
    """The text in ASCII at the same width; letters lose their accents, what is unknown is `?`."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else _sign(c) for c in text.translate(ASCII_SIGNS))


def _sign(character: str) -> str:
    width = cell_len(character)
    if ord(character) in _BRAILLE:
        return ":" if character != "\u2800" else " "
    plain = unicodedata.normalize("NFKD", character)[:1]
    if width == 1 and plain.isascii() and plain.isprintable():
        return plain
    return "?" * width


class AsciiOnly(LineFilter):
    """The last step before the terminal: whatever drew a line, only ASCII leaves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, each as wide as it was."""
        return [
            Segment(in_ascii(text), style, control) if text and not text.isascii() else segment
            for segment in segments
            for text, style, control in (segment,)
        ]


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
