"""How often a loop looks at the world and ticks: as often as a small share of a core allows."""

from __future__ import annotations

_SHARE = 1 / 400
"""Of a core, for looks and for ticks each, when nothing happens and nobody watches."""
_LONGEST_LOOK_S = 0.6
"""A change is planned for within a second: this long unseen, then a moment for its burst."""
_EVERY_S = 1.0
"""A tick at least this often where it is cheap or watched: timers run out, pictures age."""
_LONGEST_TICK_S = 10.0


class Pace:
    """What the newest look and the newest tick have cost decides when the next ones come.

    All times are in seconds of a steady clock.
    """

    def __init__(self) -> None:
        self._looked_at = float("-inf")
        self._look_s = 0.0
        self._ticked_at = float("-inf")
        self._tick_s = 0.0

    def looked(self, began: float, ended: float) -> None:
        """Note a look."""
        self._looked_at, self._look_s = ended, ended - began

    def ticked(self, began: float, ended: float) -> None:
        """Note a tick."""
        self._ticked_at, self._tick_s = began, ended - began

    def may_look(self, now: float) -> bool:
        """Whether it is time to look whether something has changed."""
        return now - self._looked_at >= min(self._look_s / _SHARE, _LONGEST_LOOK_S)

    def must_tick(self, now: float, watched: bool) -> bool:
        """Whether it is time to tick although nothing seems to have changed."""
        every = min(max(self._tick_s / _SHARE, _EVERY_S), _LONGEST_TICK_S)
        return now - self._ticked_at >= (_EVERY_S if watched else every)
