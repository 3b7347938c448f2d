"""How many rounds in a row may fail before the daemon gives up: AUTOSCALER_MAX_NUM_FAILURES."""

from __future__ import annotations

import math
import os

from raytui.model.snapshot import Snapshot

SETTING = "AUTOSCALER_MAX_NUM_FAILURES"
"""Ray's environment variable. Ray's own default is 5, counted over a whole life; ours is `inf`:
a daemon that nobody watches does better to go on trying."""


class BadSettingError(Exception):
    """The environment variable makes no sense; `str()` is one sentence."""


class TooManyFailuresError(Exception):
    """So many rounds failed that the daemon ends, as it was told to."""


class FailedRounds:
    """Counts rounds in a row in which the autoscaler could not act for trouble of its own."""

    def __init__(self) -> None:
        """Raises BadSettingError."""
        text = os.environ.get(SETTING, "inf").strip()
        try:
            self._most = math.inf if text.lower() == "inf" else int(text)
        except ValueError:
            raise BadSettingError(
                f"{SETTING} must be a whole number or inf, not {text!r}"
            ) from None
        self._count = 0

    def take(self, snapshot: Snapshot) -> None:
        """Count a round; raises TooManyFailuresError when it is one too many (Ray's rule: more)."""
        self._count = self._count + 1 if snapshot.trouble else 0
        if self._count > self._most:
            raise TooManyFailuresError(
                f"{self._count} rounds failed in a row and {SETTING} is {self._most}; "
                f"the last one: {snapshot.trouble}"
            )
