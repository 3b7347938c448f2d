"""The newest result of something that is asked for in every round, and rarely changes."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Generic, TypeVar

_T = TypeVar("_T")


class NewestResult(Generic[_T]):
    """Holds as long as it was made from the very same objects; those are replaced, not changed."""

    def __init__(self) -> None:
        self._newest: tuple[tuple[object, ...], _T] | None = None

    def of(self, made_from: tuple[object, ...], make: Callable[[], _T]) -> _T:
        """What `make` returns, or returned for these objects; two threads may both make it."""
        newest = self._newest
        if newest is None or not all(map(is_, made_from, newest[0])):
            newest = self._newest = (made_from, make())
        return newest[1]
