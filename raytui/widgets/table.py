"""A list of rows drawn line by line: sorted, filtered and marked, its selection tied to an id.

Textual's DataTable redraws every visible cell for one change and measures whole columns; this
draws only the lines in sight, and of those only the ones that differ from what stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from raytui.widgets.arrangement import Arrangement
from raytui.widgets.cell import Cell, cell, fitted
from raytui.widgets.columns import GAP, Column, lay_out
from raytui.widgets.filter import Fields, Filter

T = TypeVar("T")

_HEAD = 1
"""Lines above the rows: the titles."""

_STRIPS_KEPT = 1_000


@dataclass(frozen=True)
class _Line:
    """All that decides how a row looks."""

    cells: tuple[Cell, ...]
    flag: Cell
    cursor: bool
    marked: bool


class LineTable(ScrollView, Generic[T], can_focus=True):
    """Rows of T under a line of titles.

    `key` gives the id of a row, `now` the moment that ages are shown for, `fields` what a filter
    can find a row by, `flag` a glyph before the first column. `marking` lets rows be marked;
    `always_cursor` shows the cursor without focus too.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--title",
        "table--cursor",
        "table--marked",
        "table--empty",
    }

    DEFAULT_CSS = """
    LineTable {
        height: auto;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .table--title { color: $heading; text-style: none; }
        & > .table--empty { color: $quiet; }
        & > .table--marked { text-style: bold; color: $state-held; }
        & > .table--cursor { background: $cursor-blurred; }
        &:focus > .table--cursor { background: $cursor-focused; text-style: bold; }
        &:focus > .table--title { color: $heading; text-style: bold; }
        &:nocolor > .table--cursor { text-style: underline; }
        &:nocolor:focus > .table--cursor { text-style: reverse; }
        &:nocolor > .table--title { text-style: bold; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, id="list-down"),
        Binding("up,k", "move(-1)", "Up", show=False, id="list-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list-page-down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list-page-up"),
        Binding("home,g", "edge(-1)", "First", show=False, id="list-first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="list-last"),
        Binding("enter", "open", "Open", show=False, id="list-open"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    class Told(Message):
        """Something about a list; `@on` can choose the list by a selector."""

        def __init__(self, table: LineTable[Any]) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> LineTable[Any]:
            """The list it is about."""
            return self.table

    class Opened(Told):
        """Enter or a double click on a row."""

        def __init__(self, table: LineTable[Any], row: Any) -> None:
            super().__init__(table)
            self.row = row

    class ReachedEnd(Told):
        """The selection, or what is in sight, came to the last row."""

    class Changed(Told):
        """What is shown, sorted by or marked has changed: a caption may want to say so."""

        def can_replace(self, message: Message) -> bool:
            """A newer one says the same."""
            return isinstance(message, LineTable.Changed)

    def __init__(
        self,
        columns: Sequence[Column[T]],
        *,
        key: Callable[[T], str],
        now: Callable[[], float],
        empty: str = "",
        fields: Callable[[T], Fields] | None = None,
        flag: Callable[[T], Cell] | None = None,
        marking: bool = False,
        always_cursor: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's word
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.empty = empty
        self.marking = marking
        self.always_cursor = always_cursor
        self.marks: set[str] = set()
        self._key = key
        self._now = now
        self._flag = flag
        sorts = {column.title: column.sort for column in columns if column.sort is not None}
        self._view = Arrangement(key, fields, sorts)
        self._selected = ""
        self._measured: dict[str, int] = {}
        self._layout: list[tuple[Column[T], int]] = []
        self._painted: dict[int, _Line] = {}
        self._painted_rows = -1
        """How many rows there were when all was drawn; -1: nothing is drawn yet."""
        self._strips: dict[_Line, Strip] = {}
        self._styles: dict[str, Style] = {}

    def on_mount(self) -> None:
        """Take the room that the words for an empty list need."""
        self._rearranged()

    # What the list shows

    @property
    def rows(self) -> Sequence[T]:
        """The rows that pass the filter, in the order shown."""
        return self._view.shown

    @property
    def total(self) -> int:
        """How many rows there are without the filter."""
        return len(self._view.rows)

    @property
    def filter(self) -> Filter:
        """The filter in force; false when there is none."""
        return self._view.filter

    @property
    def sorted_by(self) -> str:
        """Title of the column sorted by; empty: as the rows came."""
        return self._view.sorted_by

    @property
    def descending(self) -> bool:
        """True when the order is turned around."""
        return self._view.descending

    @property
    def selected(self) -> T | None:
        """The row under the cursor, or None when the list is empty."""
        return self.rows[self.cursor] if self.rows else None

    @property
    def chosen_ids(self) -> tuple[str, ...]:
        """Ids of the marked rows in the order shown; without marks the selected row's."""
        if self.marks:
            shown = [self._key(row) for row in self.rows]
            hidden = self.marks.difference(shown)
            return (*(i for i in shown if i in self.marks), *sorted(hidden))
        return (self._selected,) if self.rows else ()

    def show(self, rows: Sequence[T]) -> None:
        """Replace the rows. The selection stays on its id; marks of rows that are gone go too."""
        if self.marks:
            self.marks &= {self._key(row) for row in rows}
        for column in self.columns:
            if column.measure is not None:
                widest = max(map(column.measure, rows), default=0)
                if widest > self._measured.get(column.title, 0):
                    self._measured[column.title] = widest
                    self._layout = []
        self._view.set_rows(rows)
        self._rearranged()

    def tick(self) -> None:
        """Redraw the lines in sight that no longer say what stands there."""
        top = self.scroll_offset.y
        for index in range(top, min(len(self.rows), top + self.size.height)):
            if self._line(index) != self._painted.get(index):
                self._refresh_row(index)

    def set_filter(self, text: str) -> None:
        """Show only the rows that match; raises FilterError when `text` cannot be read."""
        self._view.set_filter(text)
        self._rearranged()

    def sort_by(self, title: str, *, descending: bool = False) -> None:
        """Sort by the column with this title; an empty title gives back the rows' own order."""
        self._view.sort_by(title, descending=descending)
        self._rearranged()

    def sort_step(self, step: int) -> None:
        """Sort by the next (1) or the previous (-1) column in sight that can be sorted by."""
        shown = self._layout or [(column, 0) for column in self.columns]
        titles = ["", *(column.title for column, _ in shown if column.sort is not None)]
        at = titles.index(self.sorted_by) if self.sorted_by in titles else 0
        self.sort_by(titles[(at + step) % len(titles)])

    def sort_reverse(self) -> None:
        """Turn the order of the sorted column around."""
        self.sort_by(self.sorted_by, descending=not self.descending)

    def toggle_mark(self) -> None:
        """Mark the selected row, or take its mark away, and go to the next."""
        if not self.marking or not self.rows:
            return
        self.marks ^= {self._selected}
        self._refresh_row(self.cursor)
        self.post_message(self.Changed(self))
        self.action_move(1)

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.marks.clear()
        self._repaint()

    def select(self, row_id: str) -> bool:
        """Put the cursor on a row by its id; False when it is not shown."""
        for index, row in enumerate(self.rows):
            if self._key(row) == row_id:
                self._go(index)
                return True
        return False

    def _rearranged(self) -> None:
        was_in_sight = self._in_sight(self.cursor)
        was_empty = not self._selected
        before = self._painted_rows
        ids = [self._key(row) for row in self.rows]
        try:
            index = ids.index(self._selected)
        except ValueError:
            index = max(0, min(self.cursor, len(ids) - 1))
        self._selected = ids[index] if ids else ""
        self.set_reactive(LineTable.cursor, index)
        size = Size(0, _HEAD + max(len(ids), self.empty.count("\n") + 1))
        if size != self.virtual_size:
            self.virtual_size = size
            if self.styles.height is not None and self.styles.height.is_auto:
                self.refresh(layout=True)
        if was_in_sight or was_empty:
            self._scroll_into_sight(index)
        if self._layout and len(ids) == before:
            self.tick()
            self.post_message(self.Changed(self))
        else:
            self._repaint()

    # Moving

    def action_move(self, step: int) -> None:
        """Move the cursor by lines."""
        self._go(self.cursor + step)

    def action_page(self, pages: int) -> None:
        """Move the cursor by the lines in sight."""
        self._go(self.cursor + pages * max(1, self.size.height - _HEAD - 1))

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or the last row."""
        self._go(len(self.rows) - 1 if direction > 0 else 0)

    def action_open(self) -> None:
        """Tell that the selected row is to be opened."""
        if self.selected is not None:
            self.post_message(self.Opened(self, self.selected))

    def _go(self, index: int) -> None:
        if not self.rows:
            return
        index = max(0, min(index, len(self.rows) - 1))
        old = self.cursor
        self._selected = self._key(self.rows[index])
        self.cursor = index
        self._scroll_into_sight(index)
        self._refresh_row(old)
        self._refresh_row(index)
        if index == len(self.rows) - 1:
            self.post_message(self.ReachedEnd(self))

    def _in_sight(self, index: int) -> bool:
        top = self.scroll_offset.y
        return top <= index < top + max(1, self.size.height - _HEAD)

    def _scroll_into_sight(self, index: int) -> None:
        room = max(1, self.size.height - _HEAD)
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + room:
            self.scroll_to(y=index - room + 1, animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Tell when the wheel or the scroll bar came to the end."""
        super().watch_scroll_y(old_value, new_value)
        if old_value < new_value >= self.max_scroll_y:
            self.post_message(self.ReachedEnd(self))

    def on_click(self, event: events.Click) -> None:
        """Select a row, open it with a double click, or sort by a title."""
        if event.y < _HEAD:
            self._click_title(event.x)
            return
        index = self.scroll_offset.y + event.y - _HEAD
        if index < len(self.rows):
            self._go(index)
            if event.chain == 2:
                self.action_open()

    def _click_title(self, x: int) -> None:
        left = self._gutter
        for column, width in self._columns():
            if left <= x < left + width + GAP:
                if column.sort is None:
                    return
                if self.sorted_by != column.title:
                    self.sort_by(column.title)
                elif not self.descending:
                    self.sort_by(column.title, descending=True)
                else:
                    self.sort_by("")
                return
            left += width + GAP

    # Drawing

    @property
    def _gutter(self) -> int:
        return 3 if self.marking or self._flag is not None else 2

    def _columns(self) -> list[tuple[Column[T], int]]:
        if not self._layout:
            available = self.scrollable_content_region.width - self._gutter - 1
            self._layout = lay_out(self.columns, available, self._measured)
        return self._layout

    def on_resize(self) -> None:
        """Share the new width among the columns."""
        self._layout = []
        self._repaint()
        self._scroll_into_sight(self.cursor)

    def on_focus(self) -> None:
        """Show the cursor."""
        self._repaint()

    def on_blur(self) -> None:
        """Hide the cursor, unless it is always shown."""
        self._repaint()

    def notify_style_update(self) -> None:
        """Forget everything drawn in the old colours."""
        super().notify_style_update()
        self._styles = {}
        self._repaint()

    def _repaint(self) -> None:
        self._painted = {}
        self._painted_rows = len(self.rows)
        if not self._layout or not self._styles:
            self._strips = {}
        self.refresh()
        if self.is_attached:
            self.post_message(self.Changed(self))

    def _refresh_row(self, index: int) -> None:
        y = _HEAD + index - self.scroll_offset.y
        if _HEAD <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """One line of what is in sight."""
        width = self.size.width
        if y < _HEAD:
            return self._title_strip(width)
        index = self.scroll_offset.y + y - _HEAD
        if index < len(self.rows):
            line = self._line(index)
            self._painted[index] = line
            strip = self._strips.get(line)
            if strip is None:
                if len(self._strips) >= _STRIPS_KEPT:
                    self._strips.clear()
                strip = self._strips[line] = self._row_strip(line, width)
            return strip
        words = self.empty.split("\n")
        if not self.rows and index < len(words):
            text = "  " + words[index]
            style = self.get_component_rich_style("table--empty", partial=True)
            empty = [Segment(text, self.rich_style + style)]
            return Strip(empty).adjust_cell_length(width, self.rich_style)
        return Strip.blank(width, self.rich_style)

    def _line(self, index: int) -> _Line:
        row = self.rows[index]
        now = self._now()
        try:
            cells = tuple(column.cell(row, now) for column, _ in self._columns())
            flag = self._flag(row) if self._flag is not None else ()
        except Exception as error:  # one bad row must not take the screen down
            cells = (cell((f"✕ {self._key(row)} cannot be shown: {error!r}", "$state-failed")),)
            flag = ()
        cursor = index == self.cursor and (self.always_cursor or self.has_focus)
        return _Line(cells, flag, cursor, self._key(row) in self.marks)

    def _row_strip(self, line: _Line, width: int) -> Strip:
        base = self.rich_style
        if line.marked:
            base += self.get_component_rich_style("table--marked", partial=True)
        if line.cursor:
            base += self.get_component_rich_style("table--cursor", partial=True)
        segments = [Segment("▸" if line.cursor else " ", base + self._style("$primary"))]
        if self._gutter == 3:
            flag: Cell = (("✓", ""),) if line.marked else line.flag
            segments.extend(self._segments(fitted(flag, 1), base))
        segments.append(Segment(" ", base))
        columns = self._columns()
        if len(line.cells) != len(columns):
            segments.extend(self._segments(line.cells[0], base))
        else:
            for one, (column, room) in zip(line.cells, columns, strict=True):
                shown = fitted(one, room, right=column.right, keep_end=column.keep_end)
                segments.extend(self._segments(shown, base))
                segments.append(Segment(" " * GAP, base))
        return Strip(segments).adjust_cell_length(width, base)

    def _segments(self, one: Cell, base: Style) -> list[Segment]:
        return [Segment(text, base + self._style(style)) for text, style in one]

    def _style(self, words: str) -> Style:
        style = self._styles.get(words)
        if style is None:
            style = self.app.stylesheet.parse_style(words).rich_style if words else Style()
            self._styles[words] = style
        return style

    def _title_strip(self, width: int) -> Strip:
        base = self.rich_style + self.get_component_rich_style("table--title", partial=True)
        segments = [Segment(" " * self._gutter, base)]
        for column, room in self._columns():
            title = column.title
            if title and title == self.sorted_by:
                title += "▾" if self.descending else "▴"
            segments.extend(self._segments(fitted(((title, ""),), room, right=column.right), base))
            segments.append(Segment(" " * GAP, base))
        return Strip(segments).adjust_cell_length(width, base)
