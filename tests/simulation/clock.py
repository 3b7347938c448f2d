"""Virtual time: true seconds, the daemon's wall clock that may jump, and its monotonic clock."""

from __future__ import annotations

EPOCH = 1_700_000_000.0


class Clock:
    """Moved by the story alone."""

    def __init__(self) -> None:
        self.now = 0.0
        """True seconds since the story began: the world lives by these."""
        self._skew = 0.0
        self._slept = 0.0

    def wall(self) -> float:
        """Unix seconds as the daemon's machine believes."""
        return EPOCH + self.now + self._skew

    def monotonic(self) -> float:
        """Seconds that the daemon's machine was awake."""
        return 1000.0 + self.now - self._slept

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now = round(self.now + seconds, 3)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self._skew += seconds

    def sleep(self, seconds: float) -> None:
        """The daemon's machine is suspended: time passes, its monotonic clock stands."""
        self.advance(seconds)
        self._slept += seconds
