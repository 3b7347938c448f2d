"""What people type: filters and shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.model.resources import Resources
from raytui.screens.shapes import ShapeError, parse_shapes
from raytui.widgets.filter import Filter, FilterError

FIELDS = {"name": "i-0a31", "type": "gpu-a10", "status": "idle", "ray.io/zone": "us-west-2a"}


@pytest.mark.parametrize(
    "words",
    ["", "gpu", "GPU idle", "!busy", "type=gpu", "zone=2a", "!status=running", "~a1[0-9]$",
     "idle ~^i-0"],
)  # fmt: skip
def test_a_filter_matches(words):
    assert Filter(words).matches(FIELDS)


@pytest.mark.parametrize(
    "words", ["cpu", "gpu busy", "!gpu", "type=cpu", "status=gpu", "!zone=2a", "~^gpu$"]
)
def test_a_filter_does_not_match(words):
    assert not Filter(words).matches(FIELDS)


def test_a_broken_expression_is_told():
    with pytest.raises(FilterError, match="regular expression"):
        Filter("~(idle")


@given(st.text())
def test_any_text_is_a_filter_or_a_clear_error(words):
    try:
        Filter(words).matches(FIELDS)
    except FilterError as error:
        assert str(error)


def test_shapes_have_counts_and_units():
    assert parse_shapes("CPU=4 x3, GPU=1") == (
        (Resources.of(CPU=4), 3),
        (Resources.of(GPU=1), 1),
    )
    assert parse_shapes("CPU=0.5 memory=2GiB ×2") == (
        (Resources.of(CPU=0.5, memory=2 * 1024**3), 2),
    )


def test_nothing_typed_asks_for_nothing():
    assert parse_shapes("  ") == ()


@pytest.mark.parametrize(
    "words", ["4", "CPU", "CPU=", "CPU=x", "CPU=-1", "=4", "x3", "CPU=1 CPU=2", "CPU=0", "CPU=1 x0",
              "CPU=9999999999999999999"]
)  # fmt: skip
def test_bad_shapes_are_told_with_the_word_that_is_wrong(words):
    with pytest.raises(ShapeError):
        parse_shapes(words)


@given(st.text())
def test_any_text_is_shapes_or_a_clear_error(words):
    try:
        parse_shapes(words)
    except ShapeError as error:
        assert str(error)
