"""What the node list costs to draw, beside Textual's DataTable with the same rows.

Headless, 160×52, ten columns, rows of a simulated cluster. Each operation is timed until the
screen is painted and the escape sequences for the terminal are made, as CPU time (median). `swap`
puts a wholly new snapshot in place of the last one; `sort` turns the order by name around; `move`
takes the cursor one row down; `idle` is what waiting for a quiet screen costs by itself.

DataTable can be given a new snapshot in two ways: `clear` and `add_rows`, or `update_cell` for each
cell that changed. The texts of its cells are made before the stopwatch starts, ours within it, as
we make them only for rows in sight. `bytes` is what a terminal would be sent for the operation;
ours are more because our cells are coloured. Below 1 in `datatable_over_raytui` DataTable wins.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import common
from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable

from raytui.autoscaler.simulation.showcase import showcase
from raytui.model.snapshot import Row
from raytui.screens.nodetable import NODE_COLUMNS, held_flag, node_fields
from raytui.widgets.cell import text_of
from raytui.widgets.table import LineTable
from raytui.widgets.tokens import token_defaults

_SIZE = (160, 52)
_SORTED = "NAME"
_NOW = 1_700_000_000.0

Texts = list[tuple[str, ...]]


class Spent(NamedTuple):
    """CPU milliseconds of one operation, and bytes for the terminal."""

    cpu_ms: float
    sent: int


class Terminal(App[None]):
    """One widget on the whole screen; counts what a real terminal would be sent."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.sent = 0
        self._widget = widget

    def compose(self) -> ComposeResult:
        """Only the list."""
        self._widget.styles.height = "1fr"
        yield self._widget

    def on_mount(self) -> None:
        """The list has the focus, so that its cursor shows."""
        self._widget.focus()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our colour names."""
        return token_defaults(self.current_theme)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        # A headless app composes the screen, but never makes the escape sequences.
        super()._display(screen, renderable)
        if isinstance(renderable, CompositorUpdate):
            self.sent += len(renderable.render_segments(self.console).encode())


def measure(quick: bool) -> common.Measured:
    """Both lists with growing numbers of rows."""
    cases: list[common.Case] = []
    for rows in (1000,) if quick else (2000, 5000, 20_000):
        cases += asyncio.run(_cases(rows, 3 if quick else 7))
    return common.Measured(cases, _summary(cases))


def _summary(cases: Sequence[common.Case]) -> dict[str, Any]:
    """The longest list's figures."""
    most = cases[-1]["rows"]
    shown = [case for case in cases if case["rows"] == most and case["operation"] != "idle"]
    return {
        "rows": most,
        **{f"raytui_{case['operation']}_cpu_ms": case["raytui_cpu_ms"] for case in shown},
        "datatable_over_raytui": {
            case["datatable_way"]: case["datatable_over_raytui"] for case in shown
        },
    }


async def _cases(count: int, turns: int) -> list[common.Case]:
    common.progress(f"{count} rows: a simulated cluster of that many nodes")
    one, other = _two_snapshots(count)
    common.progress(f"{count} rows: raytui")
    ours = await _raytui(one, other, turns)
    common.progress(f"{count} rows: DataTable")
    theirs = await _datatable(_texts(one), _texts(other), turns)
    return [
        _case(count, "swap", "clear + add_rows", ours["swap"], theirs["clear"]),
        _case(count, "swap", "update_cell if changed", ours["swap"], theirs["update"]),
        _case(count, "sort", "sort", ours["sort"], theirs["sort"]),
        _case(count, "move", "cursor down", ours["move"], theirs["move"]),
        _case(count, "idle", "–", ours["idle"], theirs["idle"]),
    ]


def _case(rows: int, operation: str, way: str, ours: Spent, theirs: Spent) -> common.Case:
    return {
        "rows": rows,
        "operation": operation,
        "datatable_way": way,
        "raytui_cpu_ms": ours.cpu_ms,
        "datatable_cpu_ms": theirs.cpu_ms,
        "datatable_over_raytui": common.ratio(theirs.cpu_ms, ours.cpu_ms),
        "raytui_bytes": ours.sent,
        "datatable_bytes": theirs.sent,
    }


def _two_snapshots(count: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The same cluster at two moments, with nothing in memory shared but what is equal."""
    now = _NOW

    def clock() -> float:
        return now

    engine = showcase(count, seed=7, clock=clock)
    try:
        one = engine.tick().rows
        now += 10
        other = engine.tick().rows
    finally:
        engine.close()
    return one, other


def _texts(rows: Sequence[Row]) -> Texts:
    return [
        (row.id, *(text_of(column.cell(row, _NOW)) for column in NODE_COLUMNS[1:])) for row in rows
    ]


# raytui's list.


async def _raytui(one: Sequence[Row], other: Sequence[Row], turns: int) -> dict[str, Spent]:
    table: LineTable[Row] = LineTable(
        NODE_COLUMNS,
        key=lambda row: row.id,
        now=lambda: _NOW,
        fields=node_fields,
        flag=held_flag,
        marking=True,
    )
    async with Terminal(table).run_test(size=_SIZE) as pilot:
        table.show(one)
        await pilot.pause()

        def swap(turn: int) -> None:
            table.show(one if turn % 2 else other)

        def sort(turn: int) -> None:
            table.sort_by(_SORTED, descending=turn % 2 == 0)

        return {
            "swap": await _median(pilot, swap, turns),
            "sort": await _median(pilot, sort, turns),
            "move": await _median(pilot, lambda _: table.action_move(1), turns),
            "idle": await _median(pilot, None, turns),
        }


# Textual's DataTable.


async def _datatable(one: Texts, other: Texts, turns: int) -> dict[str, Spent]:
    table: DataTable[str] = DataTable(cursor_type="row")
    async with Terminal(table).run_test(size=_SIZE) as pilot:
        titles = [column.title for column in NODE_COLUMNS]
        for title in titles:
            table.add_column(title, key=title)
        _fill(table, one)
        await pilot.pause()

        def clear(turn: int) -> None:
            table.clear()
            _fill(table, one if turn % 2 else other)

        # An odd number of turns ends with `other` in the table.
        clear_spent = await _median(pilot, clear, turns)
        changes = _changes(titles, other, one), _changes(titles, one, other)

        def update(turn: int) -> None:
            for row, column, text in changes[turn % 2]:
                table.update_cell(row, column, text)

        def sort(turn: int) -> None:
            table.sort(_SORTED, reverse=turn % 2 == 0)

        return {
            "clear": clear_spent,
            "update": await _median(pilot, update, turns),
            "sort": await _median(pilot, sort, turns),
            "move": await _median(pilot, lambda _: table.action_cursor_down(), turns),
            "idle": await _median(pilot, None, turns),
        }


def _fill(table: DataTable[str], texts: Texts) -> None:
    for text in texts:
        table.add_row(*text, key=text[0])


def _changes(titles: Sequence[str], old: Texts, new: Texts) -> list[tuple[str, str, str]]:
    """(row, column, text) of each cell that differs, in rows that are in both."""
    before = {text[0]: text for text in old}
    return [
        (text[0], title, cell)
        for text in new
        if text[0] in before
        for title, cell, was in zip(titles, text, before[text[0]], strict=True)
        if cell != was
    ]


async def _median(pilot: Pilot[None], do: Callable[[int], object] | None, turns: int) -> Spent:
    """The median of so many turns, each until the screen is quiet again."""
    app = pilot.app
    assert isinstance(app, Terminal)
    spent = []
    for turn in range(turns):
        gc.collect()
        await pilot.pause()
        sent, started = app.sent, time.process_time()
        if do is not None:
            do(turn)
        await pilot.pause()
        cpu_ms = (time.process_time() - started) * 1000
        if do is not None and app.sent == sent:
            raise RuntimeError(f"nothing was painted in turn {turn}")
        spent.append(Spent(cpu_ms, app.sent - sent))
    return Spent(
        common.median(one.cpu_ms for one in spent), int(common.median(one.sent for one in spent))
    )


if __name__ == "__main__":
    common.main("screen", __doc__, measure)
