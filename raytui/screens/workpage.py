"""A page of work that Ray is asked for: rows on nodes, which open to a description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import on

from raytui.screens.askedpage import AskedPage
from raytui.screens.subject import Subject
from raytui.screens.workwords import NONE
from raytui.widgets.cell import cell
from raytui.widgets.columns import Column
from raytui.widgets.filter import Fields
from raytui.widgets.table import LineTable


class WorkPage(AskedPage):
    """Subclasses say what a row of theirs looks like, is called, is found by, and stands for."""

    empty: ClassVar[str] = ""
    """What to do next where there is nothing to show."""

    def columns(self) -> Sequence[Column[Any]]:
        """The columns; those of nodes ask `self.places` when they are drawn."""
        raise NotImplementedError

    def key_of(self, row: Any) -> str:
        """The id of a row."""
        raise NotImplementedError

    def found_by(self, row: Any) -> Fields:
        """What a filter finds a row by."""
        raise NotImplementedError

    def subject_of(self, row: Any) -> Subject:
        """What a row stands for."""
        raise NotImplementedError

    def open_row(self, row: Any) -> None:
        """What Enter does."""
        self.describe(self.subject_of(row))

    def make_list(self) -> LineTable[Any]:
        """The list."""
        return LineTable(
            self.columns(),
            key=self.key_of,
            now=self.session.now,
            fields=self.found_by,
            id=self.page,
            empty=self.empty,
        )

    def subject(self) -> Subject | None:
        """The row under the cursor."""
        row = self.table.selected
        return self.subject_of(row) if row is not None else None

    @on(LineTable.Opened)
    def _open(self, event: LineTable.Opened) -> None:
        self.open_row(event.row)

    def node_column(self, node_id: Callable[[Any], str], *, drop: int = 0) -> Column[Any]:
        """A column that names nodes as the Nodes page does."""

        def name(row: Any) -> str:
            return self.places.name(node_id(row))

        return Column(
            "NODE",
            lambda row, _: cell(name(row)) or NONE,
            8,
            most=26,
            keep_end=True,
            drop=drop,
            measure=lambda row: len(name(row)),
            sort=lambda row: name(row) or None,
        )


class OpenedWorkPage(WorkPage):
    """One that was opened from a row of another page, to which Esc goes back."""

    def verb_back(self, argument: str) -> None:
        """Clear the filter, then go back."""
        if self.filter_line.is_used or self.table.marks:
            super().verb_back(argument)
        else:
            self.app.pop_screen()


def text_column(
    title: str,
    text: Callable[[Any], str],
    width: int,
    *,
    most: int = 0,
    drop: int = 0,
    style: str = "",
    keep_end: bool = False,
    flex: bool = False,
) -> Column[Any]:
    """A column of words that grows with them up to `most`."""
    return Column(
        title,
        lambda row, _: cell((text(row), style)) or NONE,
        width,
        most=most,
        drop=drop,
        keep_end=keep_end,
        flex=flex,
        measure=(lambda row: len(text(row))) if most else None,
        sort=lambda row: text(row) or None,
    )


def number_column(
    title: str, number: Callable[[Any], int], width: int, *, drop: int = 0, style: str = ""
) -> Column[Any]:
    """A column of counts; none is shown as `–`."""
    return Column(
        title,
        lambda row, _: cell((f"{number(row):,}", style)) if number(row) else NONE,
        width,
        right=True,
        drop=drop,
        sort=number,
    )
