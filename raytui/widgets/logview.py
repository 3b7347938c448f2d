"""Lines of a log as they come: only those in sight are drawn, however many there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from raytui.model.text import plain

MOST_LINES = 50_000
"""Lines that are kept; the oldest go first, some at once."""
_GO_AT_ONCE = 5_000
_WIDEST = 10_001
"""Characters of a line that are kept."""
_SIDEWAYS = 8
_STAMP = re.compile(r"^\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:?\d\d)?\]?\s*")
"""A moment at the beginning of a line, as Ray and Python's logging write it."""


class LogView(ScrollView, can_focus=True):
    """Follows the end while `follows`; scrolling ends that until somebody asks for it again."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--found", "log--here"}

    DEFAULT_CSS = """
    LogView {
        background: $background; color: $foreground; overflow-x: auto;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;
        & > .log--found { text-style: underline; color: $key; }
        & > .log--here { text-style: reverse bold; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "rows(1)", "Down", show=False, id="log-down"),
        Binding("up,k", "rows(-1)", "Up", show=False, id="log-up"),
        Binding("pagedown", "pages(1)", "Page down", show=False, id="log-page-down"),
        Binding("pageup", "pages(-1)", "Page up", show=False, id="log-page-up"),
        Binding("home,g", "first", "First", show=False, id="log-first"),
        Binding("end,G", "last", "Last", show=False, id="log-last"),
        Binding("left", "sideways(-1)", "Left", show=False, id="log-left"),
        Binding("right", "sideways(1)", "Right", show=False, id="log-right"),
        Binding("shift+left", "sideways(-9)", "Far left", show=False, id="log-far-left"),
        Binding("shift+right", "sideways(9)", "Far right", show=False, id="log-far-right"),
    ]

    class Changed(Message):
        """What is shown, or whether it follows, has changed."""

        def can_replace(self, message: Message) -> bool:
            """A newer one says the same."""
            return isinstance(message, LogView.Changed)

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.follows = True
        self.wraps = False
        self.shows_times = True
        self.dropped = 0
        """Old lines that are no longer kept."""
        self.only: re.Pattern[str] | None = None
        """Only lines in which this is found are shown."""
        self.inverse = False
        """Only lines in which `only` is not found."""
        self.search: re.Pattern[str] | None = None
        self._empty = empty
        self._lines: list[str] = []
        self._view: list[int] = []
        """Numbers of the lines that pass."""
        self._rows: list[tuple[int, int]] = []
        """Line and part of it, for each row on the screen, while lines are broken."""
        self._width = 0
        self._here = -1
        """The line on which the search stands."""

    # What it holds

    @property
    def lines(self) -> Sequence[str]:
        """All lines that are kept."""
        return self._lines

    @property
    def shown(self) -> list[str]:
        """Those that pass, as they are shown."""
        return [self._text(number) for number in self._view]

    def add(self, lines: Sequence[str]) -> None:
        """Put lines at the end."""
        begin = len(self._lines)
        self._lines.extend(plain(line[:_WIDEST]) for line in lines)
        self._take_in(range(begin, len(self._lines)))
        if len(self._lines) > MOST_LINES:
            self._drop(len(self._lines) - MOST_LINES + _GO_AT_ONCE)
        self._resized()

    def clear(self) -> None:
        """Begin anew, with what is shown and looked for as it is."""
        self._lines, self.dropped, self._here = [], 0, -1
        self._arrange()

    def _drop(self, count: int) -> None:
        """Let the oldest go; what is in sight stays where it is."""
        gone = [number for number in self._view if number < count]
        rows = sum(1 for line, _ in self._rows if line < count) if self.wraps else len(gone)
        del self._lines[:count]
        self.dropped += count
        self._here = max(-1, self._here - count)
        top = max(0, self.scroll_offset.y - rows)
        self._arrange()
        if not self.follows:
            self.scroll_to(y=top, animate=False)

    # How it is shown

    def set_only(self, words: str) -> None:
        """Show only lines that match an expression (`!` before it: that do not); empty: all.

        Raises re.error when it is no expression.
        """
        self.inverse = words.startswith("!")
        text = words.removeprefix("!")
        self.only = re.compile(text, re.IGNORECASE) if text else None
        self._arrange()

    def toggle_wrap(self) -> None:
        """Break long lines, or no longer."""
        self.wraps = not self.wraps
        self.scroll_to(x=0, animate=False)
        self._arrange()

    def toggle_times(self) -> None:
        """Leave moments at the beginnings of lines out, or show them again."""
        self.shows_times = not self.shows_times
        self._arrange()

    def toggle_follow(self) -> None:
        """Stay at the end from now on, or where it is."""
        self.follows = not self.follows
        self._resized()

    def find(self, words: str) -> bool:
        """Look for an expression from where one is; False when it is nowhere. Raises re.error."""
        self.search = re.compile(words, re.IGNORECASE) if words else None
        self._here = -1
        return self.find_next(1)

    def find_next(self, step: int) -> bool:
        """Go to the next line with what is looked for (1), or to the one before (-1)."""
        self.refresh()
        if self.search is None:
            return False
        found = [n for n in self._view if self.search.search(self._text(n))]
        if not found:
            return False
        if self._here < 0:
            top = self._line_at(self.scroll_offset.y)
            later = [n for n in found if n >= top]
            self._here = later[0] if later else found[0]
        elif step > 0:
            self._here = next((n for n in found if n > self._here), found[0])
        else:
            self._here = next((n for n in reversed(found) if n < self._here), found[-1])
        self.follows = False
        row = self._row_of(self._here)
        self.scroll_to(y=max(0, row - self.size.height // 3), animate=False)
        self.post_message(self.Changed())
        return True

    # Moving

    def action_rows(self, step: int) -> None:
        """Up or down; up ends following."""
        self._go(self.scroll_offset.y + step)

    def action_pages(self, step: int) -> None:
        """A screen up or down."""
        self._go(self.scroll_offset.y + step * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the first line."""
        self._go(0)

    def action_last(self) -> None:
        """To the end, and stay there."""
        self.follows = True
        self._resized()

    def action_sideways(self, step: int) -> None:
        """Left or right; far is half a screen."""
        far = self.size.width // 2 if abs(step) > 1 else _SIDEWAYS
        x = self.scroll_offset.x + (far if step > 0 else -far)
        self.scroll_to(x=max(0, x), animate=False)

    def _on_mouse_scroll_up(self, event: object) -> None:
        self.follows = False
        super()._on_mouse_scroll_up(event)  # type: ignore[arg-type]
        self.post_message(self.Changed())

    def _go(self, y: int) -> None:
        self.follows = False
        self.scroll_to(y=max(0, min(y, self.max_scroll_y)), animate=False)
        self.post_message(self.Changed())

    def on_resize(self) -> None:
        """Break lines anew."""
        if self.wraps:
            self._arrange()
        else:
            self._resized()

    # Arranging

    def _text(self, number: int) -> str:
        line = self._lines[number]
        return line if self.shows_times else _STAMP.sub("", line)

    def _passes(self, number: int) -> bool:
        if self.only is None:
            return True
        return (self.only.search(self._lines[number]) is not None) != self.inverse

    def _arrange(self) -> None:
        self._view, self._rows, self._width = [], [], 0
        self._take_in(range(len(self._lines)))
        self._resized()

    def _take_in(self, numbers: range) -> None:
        new = [number for number in numbers if self._passes(number)]
        self._view.extend(new)
        if self.wraps:
            self._rows.extend((n, part) for n in new for part in range(len(self._parts(n))))
        else:
            widths = (cell_len(self._text(n)) for n in new)
            self._width = max(self._width, max(widths, default=0))

    def _parts(self, number: int) -> list[str]:
        width = max(1, self.scrollable_content_region.width)
        return chop_cells(self._text(number), width) or [""]

    def _resized(self) -> None:
        rows = len(self._rows) if self.wraps else len(self._view)
        size = Size(0 if self.wraps else self._width, rows)
        if size != self.virtual_size:
            self.virtual_size = size
        if self.follows:
            self.scroll_to(y=max(0, rows - self.scrollable_content_region.height), animate=False)
            # Only after the layout is it known whether a scroll bar takes the last line.
            self.call_after_refresh(self._stay_at_end)
        self.refresh()
        if self.is_attached:
            self.post_message(self.Changed())

    def _stay_at_end(self) -> None:
        if self.follows:
            self.scroll_to(y=self.max_scroll_y, animate=False)

    def _line_at(self, row: int) -> int:
        if self.wraps:
            return self._rows[row][0] if row < len(self._rows) else 0
        return self._view[row] if row < len(self._view) else 0

    def _row_of(self, number: int) -> int:
        if self.wraps:
            return next((i for i, (line, _) in enumerate(self._rows) if line == number), 0)
        return self._view.index(number)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """One row of what is in sight."""
        width, style = self.size.width, self.rich_style
        row = self.scroll_offset.y + y
        count = len(self._rows) if self.wraps else len(self._view)
        if row >= count:
            words = self._empty if not count and y == 0 else ""
            return Strip([Segment(words, style)]).adjust_cell_length(width, style)
        number = self._line_at(row)
        text = self._parts(number)[self._rows[row][1]] if self.wraps else self._text(number)
        x = 0 if self.wraps else self.scroll_offset.x
        strip = Strip(self._segments(text, number, style))
        return strip.crop(x, x + width).adjust_cell_length(width, style)

    def _segments(self, text: str, number: int, style: Style) -> list[Segment]:
        if self.search is None:
            return [Segment(text, style)]
        name = "log--here" if number == self._here else "log--found"
        found = style + self.get_component_rich_style(name, partial=True)
        segments, at = [], 0
        for match in self.search.finditer(text):
            begin, end = match.span()
            if begin < end:
                segments += [Segment(text[at:begin], style), Segment(text[begin:end], found)]
                at = end
        return [*segments, Segment(text[at:], style)]
