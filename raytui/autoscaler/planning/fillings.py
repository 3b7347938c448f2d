"""All ways to fill a node to the brim, where there are few."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.autoscaler.planning.buying import Supply, Wanted

Counts = tuple[int, ...]
"""How many of each request, in the order of the requests."""


def fillings(supply: Supply, wanted: Sequence[Wanted], most_steps: int) -> list[Counts] | None:
    """Every way to fill an empty node so that nothing more of what is wanted fits.

    None when it takes more than `most_steps` to find them.
    """
    search = _Search(supply, wanted, most_steps)
    search.go_on(0)
    return None if search.steps < 0 else search.found


class _Search:
    """Depth first: so many of the first request, of the second, and so on."""

    def __init__(self, supply: Supply, wanted: Sequence[Wanted], most_steps: int) -> None:
        self.steps = most_steps
        self.found: list[Counts] = []
        self._needs = [want.needs for want in wanted]
        self._most = [want.count if supply.fits(want) else 0 for want in wanted]
        self._left = dict(supply.room.items())
        self._counts = [0] * len(wanted)

    def go_on(self, index: int) -> None:
        """Find the fillings with the counts chosen so far for all requests before `index`."""
        self.steps -= 1
        if self.steps < 0:
            return
        if index == len(self._counts):
            if not any(self._fit(i) for i in range(index)):
                self.found.append(tuple(self._counts))
            return
        for copies in range(self._fit(index), -1, -1):
            self._put(index, copies)
            self.go_on(index + 1)
            self._put(index, -copies)

    def _fit(self, index: int) -> int:
        """How many more of a request fit, and are wanted."""
        copies = self._most[index] - self._counts[index]
        for name, units in self._needs[index]:
            copies = min(copies, self._left.get(name, 0) // units)
        return copies

    def _put(self, index: int, copies: int) -> None:
        self._counts[index] += copies
        for name, units in self._needs[index] if copies else ():
            self._left[name] -= units * copies
