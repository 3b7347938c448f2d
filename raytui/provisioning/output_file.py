"""The whole output of one step on disk, however much it is: its begin and its end."""

from __future__ import annotations

import os
from pathlib import Path

_HEAD_BYTES = 256 * 1024
_TAIL_BYTES = 1024 * 1024


class OutputFile:
    """Takes lines as they come; readable by its owner only, at any time.

    Beyond `head_bytes` and twice `tail_bytes` the middle is left out, and a line says how much.
    """

    def __init__(
        self, path: Path, *, head_bytes: int = _HEAD_BYTES, tail_bytes: int = _TAIL_BYTES
    ) -> None:
        self.path = path
        self._head = head_bytes
        self._tail = tail_bytes
        self._left_out = 0
        self._head_end = 0
        self._words_bytes = 0
        self._size = 0
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "w+b", buffering=0)

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, line: str) -> None:
        """Add a line, given without its end."""
        data = line.encode(errors="replace") + b"\n"
        self._file.write(data)
        self._size += len(data)
        if not self._left_out and self._size <= self._head:
            self._head_end = self._size
        if self._size > self._head + 2 * self._tail:
            self._shorten()

    def _shorten(self) -> None:
        """Keep the begin and the end, in place: who has the file open goes on reading it."""
        self._file.seek(self._size - self._tail)
        tail = self._file.read(self._tail)
        tail = tail[tail.find(b"\n") + 1 :] or tail
        self._left_out += self._size - self._head_end - self._words_bytes - len(tail)
        words = f"… {self._left_out:,} bytes left out …\n".encode()
        self._file.seek(self._head_end)
        self._file.write(words + tail)
        self._file.truncate()
        self._words_bytes = len(words)
        self._size = self._head_end + len(words) + len(tail)
