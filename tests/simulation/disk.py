"""The ledger's file, and a ledger whose process may die at any write and whose disk may be full."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raytui.autoscaler.loop.ledger import Ledger, LedgerError
from tests.simulation import faults
from tests.simulation.faults import Weather


class Killed(BaseException):
    """The daemon's process is gone."""


class MortalLedger(Ledger):
    """The real ledger in a process that may be killed before or after each of its writes."""

    def __init__(self, path: Path, weather: Weather) -> None:
        self._weather = weather
        self._writing = False
        self.refused = 0
        """Writes for which SQLite found the disk full."""
        super().__init__(path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._writing:
            with super().transaction():
                yield
            return
        if self._weather.strikes(faults.KILLED_BEFORE_WRITE):
            raise Killed
        self._writing = True
        try:
            with super().transaction():
                yield
        except (LedgerError, sqlite3.Error):
            self.refused += 1
            raise
        finally:
            self._writing = False
        if self._weather.strikes(faults.KILLED_AFTER_WRITE):
            raise Killed

    def fill_disk(self) -> None:
        """From now on the file cannot grow: SQLite itself says that the disk is full."""
        self._db.execute("PRAGMA max_page_count = 1")  # never below what it has already

    def free_disk(self) -> None:
        """The file may grow again."""
        self._db.execute("PRAGMA max_page_count = 1073741823")
