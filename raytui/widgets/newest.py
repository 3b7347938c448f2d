"""A list of what happened, newest first, whose newest row stays in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from raytui.widgets.table import LineTable

T = TypeVar("T")


class NewestTable(LineTable[T]):
    """Its selection stays on the newest row until it is moved from there, then on its id."""

    def show(self, rows: Sequence[T]) -> None:
        """Replace the rows."""
        was_newest = self.cursor == 0
        super().show(rows)
        if was_newest:
            self.action_edge(-1)
