"""Waiting for what others do, with an end to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from raytui.backends.base import ProviderError

T = TypeVar("T")


def until(ask: Callable[[], T], what: str, within_s: float = 20.0) -> T:
    """The first answer that is something; an error of the API server is none yet."""
    end = time.monotonic() + within_s
    said: object = None
    while time.monotonic() < end:
        try:
            if found := ask():
                return found
        except ProviderError as error:
            said = error
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s: {what}; last said: {said}")
