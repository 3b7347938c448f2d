"""Every sign beyond ASCII in its ASCII form, put in its place where lines become a terminal's."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

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
