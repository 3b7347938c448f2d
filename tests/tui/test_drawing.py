"""Cells, bars, columns: the pure part of drawing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raytui.model.text import plain
from raytui.widgets.bars import bar, blocks, sparkline
from raytui.widgets.cell import cell, fitted, text_of, width_of
from raytui.widgets.columns import GAP, Column, lay_out
from raytui.widgets.resource_bars import numbers_text, resource_order


@given(st.text())
def test_plain_text_is_one_printable_line(text):
    assert plain(text).isprintable()


def test_escape_sequences_and_direction_marks_become_dots():
    assert plain("a\x1b[31mb\u202ec\nd\x1b[2J") == "ab·c d·[2J"


@given(st.text(), st.integers(0, 40), st.booleans(), st.booleans())
def test_a_fitted_cell_has_exactly_the_width(text, width, right, keep_end):
    assert width_of(fitted(cell(text), width, right=right, keep_end=keep_end)) == width


def test_a_cut_cell_ends_with_an_ellipsis():
    assert text_of(fitted(cell(("abc", ""), ("defg", "")), 5)) == "abcd…"


def test_a_name_that_is_cut_keeps_its_end():
    assert text_of(fitted(cell("cpu-small-", ("0042", "")), 6, keep_end=True)) == "…-0042"


def test_numbers_stand_at_the_right():
    assert text_of(fitted(cell("7"), 3, right=True)) == "  7"


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_has_its_width_and_is_full_only_when_all_is_used(share, width):
    for drawn in (bar(share, width), blocks(share, max(2, width))):
        words = text_of(drawn)
        assert set(words) <= set("█▏▎▍▌▋▊▉░")
        assert (words == "█" * len(words)) == (share == 1)
        assert (words == "░" * len(words)) == (share == 0)
    assert width_of(bar(share, width)) == width


def test_a_sparkline_gathers_values_into_its_width():
    assert sparkline([0.0, 0.0, 1.0, 1.0], 2) == "▁█"
    assert sparkline([0.5], 10) == "▅"
    assert sparkline([], 10) == ""


def _columns():
    return (
        Column("name", lambda row, _: cell(row), 6, most=12, measure=len),
        Column("extra", lambda row, _: cell(row), 10, drop=2),
        Column("more", lambda row, _: cell(row), 10, drop=1),
        Column("why", lambda row, _: cell(row), 8, flex=True),
    )


@given(st.integers(1, 200), st.integers(0, 30))
def test_columns_never_take_more_than_there_is_room_for(available, longest):
    laid = lay_out(_columns(), available, {"name": longest})
    least = 6 + GAP + 8
    assert sum(width for _, width in laid) + GAP * (len(laid) - 1) <= max(available, least)


def test_the_least_important_column_goes_first():
    titles = [[c.title for c, _ in lay_out(_columns(), room, {})] for room in (60, 30, 20)]
    assert titles == [["name", "extra", "more", "why"], ["name", "more", "why"], ["name", "why"]]


def test_a_column_is_left_out_before_a_name_is_cut():
    room = 6 + 10 + 10 + 8 + 3 * GAP
    assert [c.title for c, _ in lay_out(_columns(), room, {"name": 6})][1] == "extra"
    laid = lay_out(_columns(), room, {"name": 12})
    assert [(c.title, width) for c, width in laid[:2]] == [("name", 12), ("more", 10)]


def test_what_is_left_goes_to_the_column_that_explains():
    laid = {c.title: width for c, width in lay_out(_columns(), 100, {"name": 9})}
    assert laid == {"name": 9, "extra": 10, "more": 10, "why": 100 - 29 - 3 * GAP}


def test_memory_is_told_in_the_unit_of_the_total():
    assert numbers_text("memory", 512 * 1024**2, 4 * 1024**3) == "0.5/4 GiB"
    assert numbers_text("CPU", 29, 48) == "29/48"


def test_resources_come_in_the_usual_order_without_rays_own_markers():
    names = {"zeta": 1.0, "node:10.0.0.1": 1.0, "GPU": 1.0, "CPU": 4.0, "memory": 1.0}
    assert resource_order(names) == ["CPU", "GPU", "memory", "zeta"]
