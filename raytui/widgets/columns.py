"""Columns of a list, and how they share a line that may be too short for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from raytui.widgets.cell import Cell

T = TypeVar("T")

GAP = 2
"""Columns of space between two columns of a list."""


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column of a list of T, as data."""

    title: str
    cell: Callable[[T, float], Cell]
    """What a row shows at a moment (unix seconds)."""
    width: int
    """The least number of terminal columns it is shown with."""
    most: int = 0
    """The most it may take; 0: never more than `width`."""
    measure: Callable[[T], int] | None = None
    """How wide a row's text is; the widest so far decides between `width` and `most`."""
    keep_end: bool = False
    """When cut, its end is kept: names of one kind differ there."""
    flex: bool = False
    """Takes what the other columns leave."""
    right: bool = False
    """Numbers stand at the right so that their digits line up."""
    drop: int = 0
    """When the line is too short the highest is left out first; 0 stays always."""
    sort: Callable[[T], Any] | None = None
    """What to sort by; None cannot be sorted. Rows whose value is None come last."""


def lay_out(
    columns: Sequence[Column[T]], available: int, measured: Mapping[str, int]
) -> list[tuple[Column[T], int]]:
    """Choose the columns that fit into `available` terminal columns, and their widths.

    `measured` is the widest text seen so far by column title.
    """
    wanted = {c.title: _wanted(c, measured) for c in columns}
    kept = list(columns)
    # Better one column less than names that cannot be told apart.
    while _sum([wanted[c.title] for c in kept]) > available and any(c.drop for c in kept):
        kept.remove(max(kept, key=lambda c: c.drop))
    widths = {c.title: c.width for c in kept}
    spare = max(0, available - _sum(list(widths.values())))
    for column in kept:
        grown = min(spare, wanted[column.title] - column.width)
        widths[column.title] += grown
        spare -= grown
    flexible = [c for c in kept if c.flex]
    for rest, column in zip(range(len(flexible), 0, -1), flexible, strict=True):
        share = spare // rest
        if column.most:
            share = min(share, column.most - widths[column.title])
        widths[column.title] += share
        spare -= share
    return [(c, widths[c.title]) for c in kept]


def _wanted(column: Column[T], measured: Mapping[str, int]) -> int:
    if column.measure is None:
        return column.width
    return min(max(measured.get(column.title, 0), column.width), column.most)


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
