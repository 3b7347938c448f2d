"""The output of a command in bounded memory: its begin and its end."""

from __future__ import annotations

HEAD_KEPT = 64 << 10
TAIL_KEPT = 192 << 10
"""Characters that are kept at most, of the begin and of the end."""


class KeptOutput:
    """Takes a text in pieces."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._head_size = 0
        self._tail: list[str] = []
        self._tail_size = 0
        self._left_out = 0

    def add(self, piece: str) -> None:
        """The next piece."""
        if not self._tail and self._head_size < HEAD_KEPT:
            self._head.append(piece)
            self._head_size += len(piece)
            return
        self._tail.append(piece)
        self._tail_size += len(piece)
        if self._tail_size > 2 * TAIL_KEPT:
            self._shorten()

    def text(self) -> str:
        """All of it, or its begin and its end with a line between that says what is missing."""
        if self._left_out and self._tail_size > TAIL_KEPT:
            self._shorten()
        gap = f"\n… {self._left_out:,} characters left out …\n" if self._left_out else ""
        return "".join(self._head) + gap + "".join(self._tail)

    def _shorten(self) -> None:
        whole = "".join(self._tail)
        self._left_out += len(whole) - TAIL_KEPT
        self._tail = [whole[-TAIL_KEPT:]]
        self._tail_size = TAIL_KEPT
