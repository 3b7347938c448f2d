"""How often pages ask, and whether they stand still."""

from __future__ import annotations

INTERVALS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Pace:
    """One for a whole session; the person sets it, pages obey."""

    def __init__(self, interval_s: float = 2.0) -> None:
        self.interval_s = interval_s
        """Seconds between two questions of a page that asks."""
        self.paused = False
        """Pages keep what they show; the cluster goes on."""

    def faster(self) -> None:
        """The next shorter interval."""
        shorter = [s for s in INTERVALS_S if s < self.interval_s]
        self.interval_s = shorter[-1] if shorter else INTERVALS_S[0]

    def slower(self) -> None:
        """The next longer interval."""
        longer = [s for s in INTERVALS_S if s > self.interval_s]
        self.interval_s = longer[0] if longer else INTERVALS_S[-1]
