"""Styled one-line text: what lists, headers and bars are drawn with."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from raytui.model.text import plain

Span = tuple[str, str]
"""(text, style in Textual's words, e.g. `bold $state-failed`; empty for the usual style)."""
Cell = tuple[Span, ...]
"""Spans side by side on one line."""


def cell(*parts: str | Span) -> Cell:
    """Build a cell; a bare string has the usual style. Text is made harmless here."""
    spans = ((part, "") if isinstance(part, str) else part for part in parts)
    return tuple((plain(text), style) for text, style in spans if text)


def harmless(one: Cell) -> Cell:
    """The cell itself, or one made harmless: whatever is drawn passes here once more."""
    if all(text.isprintable() for text, _ in one):
        return one
    return tuple((plain(text), style) for text, style in one)


def joined(separator: str, cells: Iterable[Cell], style: str = "$quiet") -> Cell:
    """Cells side by side with a separator between them; empty ones are left out."""
    line: list[Span] = []
    for one in cells:
        if one:
            line.extend([(separator, style), *one] if line else one)
    return tuple(line)


def text_of(one: Cell) -> str:
    """The words of a cell without their styles."""
    return "".join(text for text, _ in one)


def width_of(one: Cell) -> int:
    """Columns of the terminal that a cell takes."""
    return sum(cell_len(text) for text, _ in one)


def fitted(one: Cell, width: int, *, right: bool = False, keep_end: bool = False) -> Cell:
    """The cell at exactly `width` columns: padded, or cut with an ellipsis where it was cut."""
    one = harmless(one)
    gap = width - width_of(one)
    if gap >= 0:
        pad = ((" " * gap, ""),) if gap else ()
        return (*pad, *one) if right else (*one, *pad)
    if width <= 0:
        return ()
    if keep_end:
        return _reversed(_cut(_reversed(one), width))
    return _cut(one, width)


def _cut(one: Cell, width: int) -> Cell:
    kept: list[Span] = []
    room = width - 1
    for text, style in one:
        length = cell_len(text)
        if length > room:
            kept.append((set_cell_size(text, room) + "…", style))
            break
        kept.append((text, style))
        room -= length
    return tuple(kept)


def _reversed(one: Cell) -> Cell:
    return tuple((text[::-1], style) for text, style in reversed(one))


def to_content(*lines: Cell) -> Content:
    """Lines as Textual content, for a Static or a Label. Never read as markup."""
    return Content("\n").join(Content.assemble(*harmless(line)) for line in lines)
