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
        self._found: dict[str, tuple[T, Mapping[str, str]]] = {}
        """By id, the rows of the last filtering and what they can be found by."""

    def set_rows(self, rows: Sequence[T]) -> None:
        """Take new rows; filter and order stay."""
        self.rows = rows
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Show only what matches; raises FilterError, and then everything stays as it was."""
        self.filter = Filter(text)
        self._arrange()

    def sort_by(self, title: str, *, descending: bool = False) -> None:
        """Sort by a column; an empty title gives back the rows' own order."""
        self.sorted_by = title
        self.descending = descending
        self._arrange()

    def _arrange(self) -> None:
        self.shown = self._sorted(self._passing())

    def _passing(self) -> list[T]:
        if not self.filter or self._fields is None:
            self._found = {}
            return list(self.rows)
        # Rows that did not change are the same objects in the next snapshot, and all of them are
        # at the next letter of a filter.
        before, self._found = self._found, {}
        passing = []
        for row in self.rows:
            row_id = self._key(row)
            known = before.get(row_id)
            if known is None or known[0] is not row:
                known = (row, self._fields(row))
            self._found[row_id] = known
            if self.filter.matches(known[1]):
                passing.append(row)
        return passing

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
