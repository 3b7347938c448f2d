"""Journal lines about the sources of facts: one when something odd begins, one when it ends."""

from __future__ import annotations

from collections.abc import Iterable

from raytui.autoscaler.loop.journal import Journal
from raytui.model.snapshot import Level
from raytui.model.state import SourceHealth


class Announcing:
    """What was said stays said over rounds that begin anew from disk."""

    def __init__(self) -> None:
        self._doubted: set[str] = set()
        self._warned: set[str] = set()

    def look(self, sources: Iterable[SourceHealth], journal: Journal, now: float) -> None:
        """Say what has changed since the last look."""
        doubted = {source.name: source.doubt for source in sources if source.doubt}
        warned = {source.name: source.warning for source in sources if source.warning}
        for name in sorted(doubted.keys() - self._doubted):
            text = f"{name} is not believed: {doubted[name]}; nothing is done meanwhile"
            journal.say(now, Level.WARNING, text)
        for name in sorted(self._doubted - doubted.keys()):
            journal.say(now, Level.INFO, f"{name} is believed again")
        for name in sorted(warned.keys() - self._warned):
            journal.say(now, Level.WARNING, f"{name}: {warned[name]}")
        self._doubted, self._warned = set(doubted), set(warned)
