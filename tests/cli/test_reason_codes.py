"""docs/reasons.md and the reason codes of the program are the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raytui.autoscaler.reason_codes import code_of
from raytui.model.reason import Why

DOC = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_the_page_has_every_code_once_and_no_other():
    listed = re.findall(r"^\| `(\w+)` \|", DOC.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted({code_of(why) for why in Why})


def test_a_code_is_one_word():
    for why in Why:
        assert re.fullmatch("[a-z]+(_[a-z]+)*", code_of(why))


@pytest.mark.parametrize(
    ("why", "code"),
    [
        (Why.NO_TYPE_HAS, "infeasible"),
        (Why.TOO_LARGE, "infeasible"),
        (Why.NO_TYPE_LABELS, "infeasible"),
        (Why.MAX_WORKERS_TYPE, "max_workers"),
        (Why.MAX_WORKERS_GLOBAL, "max_workers_total"),
        (Why.UPSCALING_SPEED, "upscaling_speed"),
        (Why.BACKING_OFF, "launch_backoff"),
        (Why.PAUSED, "paused"),
        (Why.IDLE_TIMEOUT, "idle"),
        (Why.IDLE, "idle"),
        (Why.MIN_WORKERS, "min_workers"),
        (Why.HELD, "held"),
        (Why.FOR_CONSTRAINT, "needed_by_constraint"),
        (Why.EXPECTED, "needed_by_demand"),
        (Why.FOR_DEMAND, "needed_by_demand"),
        (Why.BUSY, "busy"),
        (Why.TYPE_GONE, "type_gone"),
    ],
)
def test_codes_that_scripts_rely_on(why: Why, code: str):
    assert code_of(why) == code
