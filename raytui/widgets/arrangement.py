"""Which rows of a list are shown, and in which order: filter and sort, without any drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from raytui.widgets.filter import Filter

T = TypeVar("T")
SortKey = Callable[[T], Any]


class Arrangement(Generic[T]):
    """Rows as they came, and `shown`: those that pass the filter, sorted.

    `key` gives a row's id, `fields` what a filter can find it by, `sorts` what each column that
    can be sorted by compares.
    """

    def __init__(
        self,
        key: Callable[[T], str],
        fields: Callable[[T], Mapping[str, str]] | None,
        sorts: Mapping[str, SortKey[T]],
    ) -> None:
        self.rows: Sequence[T] = ()
        self.shown: list[T] = []
        self.filter = Filter("")
        self.sorted_by = ""
        """Title of the column sorted by; empty: as the rows came."""
        self.descending = False
        self._key = key
        self._fields = fields
        self._sorts = sorts
        self._found: dict[str, tuple[T, bool]] = {}

    def set_rows(self, rows: Sequence[T]) -> None:
        """Take new rows; filter and order stay."""
        self.rows = rows
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Show only what matches; raises FilterError, and then everything stays as it was."""
        self.filter = Filter(text)
        self._found = {}
        self._arrange()

    def sort_by(self, title: str, *, descending: bool = False) -> None:
        """Sort by a column; an empty title gives back the rows' own order."""
        self.sorted_by = title
        self.descending = descending
        self._arrange()

    def _arrange(self) -> None:
        self.shown = self._sorted([row for row in self.rows if self._passes(row)])

    def _passes(self, row: T) -> bool:
        if not self.filter or self._fields is None:
            return True
        # Rows that did not change are the same objects in the next snapshot.
        row_id = self._key(row)
        known = self._found.get(row_id)
        if known is not None and known[0] is row:
            return known[1]
        passes = self.filter.matches(self._fields(row))
        self._found[row_id] = (row, passes)
        return passes

    def _sorted(self, rows: list[T]) -> list[T]:
        sort = self._sorts.get(self.sorted_by)
        if sort is None:
            return rows[::-1] if self.descending else rows
        pairs = [(_value(sort, row), row) for row in rows]
        valued = [pair for pair in pairs if pair[0] is not None]
        valued.sort(key=lambda pair: pair[0], reverse=self.descending)
        return [row for _, row in valued] + [row for value, row in pairs if value is None]


def _value(sort: SortKey[T], row: T) -> Any:
    try:
        return sort(row)
    except Exception:  # one bad row must not take the list down: it sorts last
        return None
