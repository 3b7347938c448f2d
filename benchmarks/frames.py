"""A program on a pseudo-terminal, whose output is read frame by frame."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

_CAN_YOU = b"\x1b[?2026$p"
_I_CAN = b"\x1b[?2026;2$y"
_END = b"\x1b[?2026l"
"""Synchronized output: a terminal that says it can is told where each frame ends."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|[@-Z\\-_])")
_LONGEST_S = 30.0


class Frame(NamedTuple):
    """What was painted at once."""

    at: float
    """When its last byte was read, in perf_counter seconds."""
    text: str
    """Its words; a space stands for each jump of the cursor."""


class Terminal:
    """A running program; `size` is (columns, rows)."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], size: tuple[int, int]
    ) -> None:
        self.began = time.perf_counter()
        self.sent = 0
        """Bytes written so far."""
        self._frames: list[Frame] = []
        self._new = threading.Condition()
        self._end, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        settings = {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.process = subprocess.Popen(
            argv, stdin=inside, stdout=inside, stderr=inside, env=settings, start_new_session=True
        )
        os.close(inside)
        threading.Thread(target=self._read, daemon=True).start()

    def press(self, keys: str) -> float:
        """Type; gives the moment before the first byte went out."""
        at = time.perf_counter()
        os.write(self._end, keys.encode())
        return at

    def frame(self, shows: Callable[[Frame], object], since: float) -> Frame:
        """The first frame after a moment that shows what is expected."""
        looked = 0
        deadline = time.perf_counter() + _LONGEST_S
        with self._new:
            while True:
                for one in self._frames[looked:]:
                    if one.at > since and shows(one):
                        return one
                looked = len(self._frames)
                left = deadline - time.perf_counter()
                if left <= 0 or not self._new.wait(left):
                    last = "".join(one.text for one in self._frames[-3:])
                    raise TimeoutError(f"it was never painted; the last was {last[-3000:]!r}")

    def close(self) -> None:
        """End the program."""
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        finally:
            self.process.kill()
            self.process.wait()

    def _read(self) -> None:
        waiting = b""
        while True:
            try:
                ready, _, _ = select.select([self._end], [], [], 1.0)
                data = os.read(self._end, 1 << 16) if ready else b""
            except OSError:
                return
            at = time.perf_counter()
            self.sent += len(data)
            waiting += data
            if _CAN_YOU in waiting:
                waiting = waiting.replace(_CAN_YOU, b"")
                os.write(self._end, _I_CAN)
            *ended, waiting = waiting.split(_END)
            if ended:
                with self._new:
                    self._frames += [Frame(at, _words(one)) for one in ended]
                    self._new.notify_all()


def _words(data: bytes) -> str:
    return _ESCAPE.sub(
        lambda found: " " if found[0].endswith("H") else "", data.decode(errors="replace")
    )
