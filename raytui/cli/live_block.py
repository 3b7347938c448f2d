"""Lines at the end of a terminal's output that are drawn again and again in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from raytui.cli.columns import columns_of

_ERASE_LINE = "\x1b[K"
_ERASE_BELOW = "\x1b[J"
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
"""Terminals that know them show what is between them at once."""

_UNKNOWN = os.terminal_size((80, 24))


class LiveBlock:
    """Draws on a terminal; what it wrote last stands directly above the cursor's line or in it."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: list[str] = []

    def room(self) -> tuple[int, int]:
        """How many lines a block may have, and how many columns a line."""
        size = self._size()
        return max(1, size.lines - 2), max(1, size.columns - 1)

    def show(self, above: Sequence[str], block: Sequence[str]) -> None:
        """Put lines for good above the block, and the block anew; in one write."""
        if not above and list(block) == self._shown:
            return
        width = self._size().columns
        kept = "".join(f"{line}{_ERASE_LINE}\n" for line in above)
        drawn = "\n".join(f"{line}{_ERASE_LINE}" for line in block)
        self._out.write(f"{_BEGIN}{self._to_its_begin(width)}{kept}{drawn}{_ERASE_BELOW}{_END}")
        self._out.flush()
        self._shown = list(block)

    def clear(self) -> None:
        """Take the block away; what comes next stands in its place."""
        self.show((), ())

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except OSError:
            size = _UNKNOWN
        # Some terminals have none, e.g. a serial line.
        return size if size.columns and size.lines else _UNKNOWN

    def _to_its_begin(self, width: int) -> str:
        # A terminal that became narrower has broken the lines.
        rows = sum(max(1, -(-columns_of(line) // width)) for line in self._shown)
        return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")
