"""The list widget: the selection belongs to an id, not to a line."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from raytui.widgets.cell import cell
from raytui.widgets.columns import Column
from raytui.widgets.table import LineTable
from raytui.widgets.tokens import token_defaults
from tests.tui.driving import text, until

Item = tuple[str, int | None]


def _size(item: Item) -> int | None:
    if item[0] == "broken":
        raise RuntimeError("no size")
    return item[1]


COLUMNS: tuple[Column[Item], ...] = (
    Column("NAME", lambda row, _: cell(row[0]), 8, sort=lambda row: row[0]),
    Column("SIZE", lambda row, now: cell(f"{_size(row)} {now:.0f}"), 8, right=True, sort=_size),
)


class Harness(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.now = 7.0
        self.opened: list[Item] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return token_defaults(self.current_theme)

    def compose(self) -> ComposeResult:
        yield LineTable(
            COLUMNS, key=lambda row: row[0], now=lambda: self.now, empty="nothing here",
            fields=lambda row: {"name": row[0]}, marking=True,
        )  # fmt: skip

    def on_mount(self) -> None:
        self.query_one(LineTable).focus()

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        self.opened.append(event.row)


@pytest.fixture
async def pilot():
    app = Harness()
    async with app.run_test(size=(40, 12)) as pilot:
        yield pilot


@pytest.fixture
def items(pilot):
    listed: LineTable[Item] = pilot.app.query_one(LineTable)
    listed.show([("a", 3), ("b", 1), ("c", 2)])
    return listed


async def test_the_selection_follows_its_id_when_rows_come_and_go(pilot, items):
    await pilot.press("down")
    assert items.selected == ("b", 1)
    items.show([("x", 9), ("y", 9), ("b", 5), ("c", 2)])
    assert items.selected == ("b", 5)


async def test_the_selection_follows_its_id_through_a_sort(pilot, items):
    await pilot.press("down")
    items.sort_by("SIZE", descending=True)
    assert [name for name, _ in items.rows] == ["a", "c", "b"]
    assert items.selected == ("b", 1)


async def test_the_selection_stays_inside_when_the_list_shrinks(pilot, items):
    await pilot.press("end")
    items.show([("a", 3), ("b", 1)])
    assert items.selected == ("b", 1)
    items.show([])
    assert items.selected is None
    assert items.chosen_ids == ()
    items.show([("z", 0)])
    assert items.selected == ("z", 0)


async def test_marks_are_chosen_before_the_selection_and_go_with_their_rows(pilot, items):
    assert items.chosen_ids == ("a",)
    items.toggle_mark()
    items.toggle_mark()
    assert items.chosen_ids == ("a", "b")
    items.show([("b", 1), ("c", 2)])
    assert items.chosen_ids == ("b",)
    items.clear_marks()
    assert items.chosen_ids == ("c",)


async def test_marked_rows_hidden_by_a_filter_are_still_chosen(pilot, items):
    items.toggle_mark()
    items.set_filter("c")
    assert [name for name, _ in items.rows] == ["c"]
    assert items.chosen_ids == ("a",)


async def test_values_that_are_missing_sort_last_both_ways(pilot, items):
    items.show([("none", None), ("two", 2), ("one", 1)])
    items.sort_by("SIZE")
    assert [name for name, _ in items.rows] == ["one", "two", "none"]
    items.sort_reverse()
    assert [name for name, _ in items.rows] == ["two", "one", "none"]


async def test_one_bad_row_is_shown_as_such_and_the_rest_stays(pilot, items):
    items.show([("a", 3), ("broken", 1), ("c", 2)])
    items.sort_by("SIZE")
    await pilot.pause()
    shown = text(pilot.app)
    assert "broken cannot be shown" in shown
    assert "c " in shown
    assert [name for name, _ in items.rows] == ["c", "a", "broken"]


async def test_titles_sort_by_click_then_turn_around_then_let_go(pilot, items):
    for wanted in (("SIZE", False), ("SIZE", True), ("", False)):
        await pilot.click(LineTable, offset=(16, 0))
        assert (items.sorted_by, items.descending) == wanted


async def test_a_click_selects_and_a_double_click_opens(pilot, items):
    await pilot.click(LineTable, offset=(5, 3))
    assert items.selected == ("c", 2)
    assert pilot.app.opened == []
    await pilot.click(LineTable, offset=(5, 2), times=2)
    await pilot.pause()
    assert pilot.app.opened == [("b", 1)]


async def test_time_going_on_redraws_what_shows_time(pilot, items):
    await pilot.pause()
    assert "3 7" in text(pilot.app)
    pilot.app.now = 8.0
    items.tick()
    await pilot.pause()
    assert "3 8" in text(pilot.app)


async def test_the_list_scrolls_with_the_selection_and_keeps_its_titles(pilot, items):
    items.styles.height = 6
    items.show([(f"row-{i:03d}", i) for i in range(300)])
    await pilot.press("end")
    await pilot.pause()
    shown = text(pilot.app)
    assert shown.splitlines()[0].split() == ["NAME", "SIZE"]
    assert "▸  row-299" in shown
    await pilot.press("home")
    await pilot.pause()
    assert "▸  row-000" in text(pilot.app)


async def test_an_empty_list_says_what_to_do(pilot, items):
    items.show([])
    await pilot.pause()
    assert "nothing here" in text(pilot.app)


async def test_a_name_is_never_markup_nor_an_escape_sequence(pilot, items):
    items.show([("[red]x", 1), ("[/]", 2), ("\x1b[2Jz", 3)])
    await pilot.pause()
    shown = text(pilot.app)
    assert "[red]x" in shown
    assert "[/]" in shown
    assert "\x1b" not in shown


async def test_nothing_is_drawn_again_when_nothing_changed(pilot, items):
    drawn = []
    render_line = items.render_line
    items.render_line = lambda y: drawn.append(y) or render_line(y)

    def quiet() -> bool:
        was_quiet = "3 7" in text(pilot.app) and not drawn
        drawn.clear()
        return was_quiet

    await until(pilot, quiet)
    items.show([("a", 3), ("b", 1), ("c", 2)])
    await pilot.pause()
    assert drawn == []
    items.show([("a", 3), ("b", 5), ("c", 2)])
    await pilot.pause()
    assert drawn == [2]
    assert "5 7" in text(pilot.app)
