"""The end of a log that goes on: follows its end unless somebody reads further up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.cells import chop_cells
from textual.binding import Binding, BindingType
from textual.widgets import Log

from raytui.model.text import plain


class Tail(Log):
    """Shows the lines that it is given; the place is kept when more of them come.

    `wrap` breaks lines that are longer than the widget.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False, id="list-down"),
        Binding("k", "scroll_up", "Up", show=False, id="list-up"),
        Binding("g", "scroll_home", "First", show=False, id="list-first"),
        Binding("G", "scroll_end", "Last", show=False, id="list-last"),
    ]

    DEFAULT_CSS = """
    Tail {
        background: $background; padding: 0; overflow-x: auto; color: $quiet;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1;
        &:focus { background-tint: $foreground 0%; color: $foreground; }
    }
    """

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._empty = empty
        self._shown: list[str] | None = None
        self.wrap = False

    @property
    def shown(self) -> Sequence[str]:
        """The lines as they were given."""
        return self._shown or ()

    def show(self, lines: Sequence[str]) -> None:
        """Replace the lines; draws only what is new where these go on from the earlier ones."""
        new = [plain(line) for line in lines]
        if new == self._shown:
            return
        old, self._shown = self._shown, new
        if old and new[: len(old)] == old:
            self._write(new[len(old) :])
        else:
            self._draw()

    def replace(self, lines: Sequence[str]) -> None:
        """Show the lines of something else, from their end."""
        self._shown = None
        self.clear()
        self.scroll_to(0, 0, animate=False)
        self.show(lines)

    def toggle_wrap(self) -> None:
        """Break long lines, or no longer."""
        self.wrap = not self.wrap
        self._draw()

    def on_resize(self) -> None:
        """Break lines anew."""
        if self.wrap:
            self._draw()

    def _draw(self) -> None:
        self._write(self._shown or ([self._empty] if self._empty else []), anew=True)

    def _write(self, lines: Sequence[str], *, anew: bool = False) -> None:
        at_end, where = self.is_vertical_scroll_end, self.scroll_offset.y
        if anew:
            self.clear()
        self.write_lines(self._broken(lines), scroll_end=False)
        if at_end:
            # Only after the layout is it known whether a scroll bar takes the last line.
            self.call_after_refresh(self.scroll_end, animate=False, x_axis=False)
        elif anew:
            self.scroll_to(y=where, animate=False)

    def _broken(self, lines: Sequence[str]) -> Iterator[str]:
        width = self.scrollable_content_region.width
        for line in lines:
            if self.wrap and width > 0:
                yield from chop_cells(line, width) or [" "]
            else:
                # Log leaves out lines that are empty.
                yield line or " "
