"""One line of parts that leaves out the least important ones where there is no room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from raytui.widgets.cell import Cell, to_content, width_of


@dataclass(frozen=True)
class Part:
    """A piece of the line. The highest `drop` goes first when room is short; 0 stays."""

    cell: Cell
    drop: int = 0
    right: bool = False
    """Stands at the right end."""
    verb: str = ""
    """What a click on it asks for."""


class FittedLine(Widget):
    """Parts side by side with a separator; the ones marked `right` end at the right edge."""

    DEFAULT_CSS = """
    FittedLine { height: 1; padding: 0 1; }
    """

    class Clicked(Message):
        """A click on a part that stands for a verb."""

        def __init__(self, verb: str) -> None:
            super().__init__()
            self.verb = verb

    def __init__(self, *, separator: Cell, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._separator = separator
        self._parts: tuple[Part, ...] = ()

    def show(self, parts: Sequence[Part]) -> None:
        """Replace the parts; draws only when they differ."""
        shown = tuple(part for part in parts if part.cell)
        if shown != self._parts:
            self._parts = shown
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Ask for the verb under the pointer."""
        x = event.x - self.gutter.left
        for part, start in self._placed():
            if part.verb and start <= x < start + width_of(part.cell):
                self.post_message(self.Clicked(part.verb))

    def render(self) -> Content:
        """The line as it fits now."""
        line: Cell = ()
        at = 0
        for part, start in self._placed():
            gap = start - at
            between = self._separator if gap == width_of(self._separator) else ((" " * gap, ""),)
            line += (*(between if gap else ()), *part.cell)
            at = start + width_of(part.cell)
        return to_content(line)

    def _placed(self) -> list[tuple[Part, int]]:
        """The parts that fit, each with the column where it starts."""
        room = self.content_size.width
        parts = list(self._parts)
        while len(parts) > 1 and self._width(parts) > room:
            droppable = [part for part in parts if part.drop]
            if not droppable:
                break
            parts.remove(max(droppable, key=lambda part: part.drop))
        left = [part for part in parts if not part.right]
        right = [part for part in parts if part.right]
        placed, at = self._in_a_row(left, 0)
        tail = sum(width_of(part.cell) for part in right)
        tail += width_of(self._separator) * max(0, len(right) - 1)
        return placed + self._in_a_row(right, max(at, room - tail))[0]

    def _in_a_row(self, parts: Sequence[Part], at: int) -> tuple[list[tuple[Part, int]], int]:
        placed = []
        for part in parts:
            placed.append((part, at))
            at += width_of(part.cell) + width_of(self._separator)
        return placed, at

    def _width(self, parts: Sequence[Part]) -> int:
        gaps = width_of(self._separator) * (len(parts) - 1)
        return sum(width_of(part.cell) for part in parts) + gaps
