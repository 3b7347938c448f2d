"""Waiting for what others do, with an end to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def eventually(question: Callable[[], Answer], within_s: float = 60.0, what: str = "") -> Answer:
    """Ask until the answer is truthy, and return it; fails with the last when time is up."""
    end = time.monotonic() + within_s
    while not (answer := question()):
        assert time.monotonic() < end, f"not within {within_s:g} s: {what or repr(answer)}"
        time.sleep(0.05)
    return answer
