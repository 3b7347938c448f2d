"""A page that is one long list with a filter line and a caption of how much is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.widget import Widget
from textual.widgets import Input

from raytui.screens.page import Page
from raytui.widgets.cell import cell
from raytui.widgets.filter import FilterError
from raytui.widgets.fitted import FittedLine, Part
from raytui.widgets.table import LineTable


class ListPage(Page):
    """Subclasses make the list; filter, sort and the caption are here."""

    CSS_PATH = ["page.tcss", "listpage.tcss"]  # noqa: RUF012 - Textual's own form

    def make_list(self) -> LineTable[Any]:
        """The list, new."""
        raise NotImplementedError

    def caption(self) -> Sequence[Part]:
        """What stands above the list."""
        raise NotImplementedError

    _wrong = ""
    """Why the filter as typed cannot be read."""

    @property
    def filters(self) -> bool:
        """Whether a filter is in force or being typed."""
        return bool(self.query_one("#filter").display or self.table.filter)

    @property
    def table(self) -> LineTable[Any]:
        """The page's list."""
        return self.query_one(LineTable)

    def compose_body(self) -> Iterable[Widget]:
        """Caption, list, and the filter line while it is in use."""
        yield FittedLine(separator=cell("   "), id="caption")
        yield self.make_list()
        yield Input(placeholder="filter: word  !word  key=value  ~regex", id="filter")

    def on_mount(self) -> None:
        """The list has the focus, the filter line is put away."""
        self.query_one("#filter").display = False
        self.table.focus()

    def show_time(self) -> None:
        """Ages go on between snapshots."""
        self.table.tick()
        self._show_caption()

    @on(LineTable.Changed)
    def _show_caption(self) -> None:
        self.query_one("#caption", FittedLine).show([*self.caption(), *self._view_parts()])

    def _view_parts(self) -> list[Part]:
        table = self.table
        parts = []
        if self._wrong:
            parts.append(Part(cell((f"✕ {self._wrong}", "$state-failed"))))
        elif table.filter:
            shown = f"{len(table.rows):,} of {table.total:,} match “{table.filter.text}”"
            parts.append(Part(cell((shown, "$state-draining"), ("  Esc clears", "$quiet"))))
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
        line = self.query_one("#filter", Input)
        line.display = True
        line.value = argument or self.table.filter.text
        if argument:
            self._apply_filter(argument)
            self._put_filter_away()
        else:
            line.focus()

    def verb_sort_next(self, _argument: str) -> None:
        """Sort by the next column."""
        self.table.sort_step(1)

    def verb_sort_previous(self, _argument: str) -> None:
        """Sort by the previous column."""
        self.table.sort_step(-1)

    def verb_sort_reverse(self, _argument: str) -> None:
        """Turn the order around."""
        self.table.sort_reverse()

    def verb_back(self, _argument: str) -> None:
        """Close the filter line and clear the filter; then clear marks."""
        line = self.query_one("#filter", Input)
        if self.filters:
            line.value = ""
            self._apply_filter("")
            self._put_filter_away()
        elif self.table.marks:
            self.table.clear_marks()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        if event.input.display:
            self._apply_filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self._put_filter_away()

    def _apply_filter(self, text: str) -> None:
        self._wrong = ""
        try:
            self.table.set_filter(text)
        except FilterError as error:
            # The list stays as it was until the expression is whole.
            self._wrong = str(error)
            self._show_caption()

    def _put_filter_away(self) -> None:
        self.query_one("#filter").display = False
        self.table.focus()
