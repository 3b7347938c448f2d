"""The line in which a list's filter is typed."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.widgets import Input

from raytui.widgets.cell import cell
from raytui.widgets.filter import FilterError
from raytui.widgets.fitted import Part
from raytui.widgets.table import LineTable


class FilterLine(Input):
    """In sight only while a filter is typed; the list follows each letter."""

    DEFAULT_CSS = """
    FilterLine {
        height: 1; border: none; padding: 0 1; background: $panel; display: none;
        &:focus { border: none; background: $panel; }
    }
    """

    def __init__(self, table: LineTable[Any]) -> None:
        super().__init__(placeholder="filter: word  !word  key=value  ~regex", id="filter")
        self._table = table
        self._wrong = ""

    @property
    def is_used(self) -> bool:
        """Whether a filter is in force or being typed."""
        return bool(self.display or self._table.filter)

    @property
    def part(self) -> Part:
        """What is filtered by, and how much of the list passes; empty without a filter."""
        table = self._table
        if self._wrong:
            return Part(cell((f"✕ {self._wrong}", "$state-failed")))
        if not table.filter:
            return Part(())
        shown = f"{len(table.rows):,} of {table.total:,} match “{table.filter.text}”"
        return Part(cell((shown, "$state-draining"), ("  Esc clears", "$quiet")))

    def begin(self, text: str = "") -> None:
        """Filter by a text at once, or let one be typed."""
        self.display = True
        self.value = text or self._table.filter.text
        if text:
            self._apply(text)
            self._put_away()
        else:
            # At once, not when it is this widget's turn: the next key may be there already.
            self.screen.set_focus(self)

    def clear_filter(self) -> None:
        """Show everything again."""
        self.value = ""
        self._apply("")
        self._put_away()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        if self.display:
            self._apply(event.value)

    @on(Input.Submitted)
    def _put_away(self) -> None:
        self.display = False
        self._table.focus()

    def _apply(self, text: str) -> None:
        self._wrong = ""
        try:
            self._table.set_filter(text)
        except FilterError as error:
            # The list stays as it was until the expression is whole.
            self._wrong = str(error)
            self._table.post_message(LineTable.Changed(self._table))
