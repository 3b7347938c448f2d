"""A page that is one long list with a filter line and a caption of how much is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.widget import Widget

from raytui.screens.frame import Frame
from raytui.widgets.cell import cell
from raytui.widgets.filterline import FilterLine
from raytui.widgets.fitted import FittedLine, Part
from raytui.widgets.table import LineTable


class ListFrame(Frame):
    """Subclasses make the list; filter, sort and the caption are here."""

    CSS_PATH = ["frame.tcss", "listframe.tcss"]  # noqa: RUF012 - Textual's own form

    def make_list(self) -> LineTable[Any]:
        """The list, new."""
        raise NotImplementedError

    def caption(self) -> Sequence[Part]:
        """What stands above the list."""
        raise NotImplementedError

    @property
    def filter_line(self) -> FilterLine:
        """The line in which its filter is typed."""
        return self.query_one(FilterLine)

    @property
    def table(self) -> LineTable[Any]:
        """The page's list."""
        return self.query_one(LineTable)

    def compose_body(self) -> Iterable[Widget]:
        """Caption, list, and the filter line while it is in use."""
        yield FittedLine(separator=cell("   "), id="caption")
        table = self.make_list()
        yield table
        yield FilterLine(table)

    def on_mount(self) -> None:
        """The list has the focus."""
        self.table.focus()

    def show_time(self) -> None:
        """Ages go on by themselves."""
        self.table.tick()
        self._show_caption()

    @on(LineTable.Changed)
    def _show_caption(self) -> None:
        self.query_one("#caption", FittedLine).show([*self.caption(), *self._view_parts()])

    def _view_parts(self) -> list[Part]:
        table = self.table
        parts = [self.filter_line.part]
        if table.marks:
            marked = cell((f"✓ {len(table.marks):,} marked", "bold $state-held"))
            parts.append(Part(marked))
        if table.sorted_by:
            way = "descending" if table.descending else "ascending"
            parts.append(Part(cell((f"by {table.sorted_by} {way}", "$quiet")), drop=5))
        return parts

    # Verbs

    def verb_filter(self, argument: str) -> None:
        """Filter as typed, or open the filter line."""
        self.filter_line.begin(argument)

    def verb_sort_next(self, _argument: str) -> None:
        """Sort by the next column."""
        self.table.sort_step(1)

    def verb_sort_previous(self, _argument: str) -> None:
        """Sort by the previous column."""
        self.table.sort_step(-1)

    def verb_sort_reverse(self, _argument: str) -> None:
        """Turn the order around."""
        self.table.sort_reverse()

    def verb_back(self, argument: str) -> None:
        """Close the filter line and clear the filter; then clear marks; then go back."""
        if self.filter_line.is_used:
            self.filter_line.clear_filter()
        elif self.table.marks:
            self.table.clear_marks()
        else:
            super().verb_back(argument)
