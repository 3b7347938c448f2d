"""A list of steps: what is done, how long it took, and its newest line of output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raytui.model.step import Step, StepStatus
from raytui.model.text import duration_text
from raytui.screens.phases import newest_words
from raytui.widgets.cell import Cell, cell, joined
from raytui.widgets.columns import Column
from raytui.widgets.table import LineTable

STEP_GLYPHS: dict[StepStatus, Cell] = {
    StepStatus.WAITING: (("·", "$quiet"),),
    StepStatus.RUNNING: (("◐", "$state-starting"),),
    StepStatus.DONE: (("✓", "$state-running"),),
    StepStatus.FAILED: (("✕", "$state-failed"),),
    StepStatus.SKIPPED: (("–", "$quiet"),),
}


def step_table(now: Callable[[], float], *, with_node: bool, **options: Any) -> LineTable[Step]:
    """A list of steps; `with_node` says of which node each is."""
    columns = (_STATUS, _NODE, *_WHAT) if with_node else (_STATUS, *_WHAT)
    return LineTable(columns, key=lambda step: f"{step.node}\0{step.name}", now=now, **options)


def took_text(seconds: float) -> str:
    """How long an ended step took: `2.1s`, `41s`, `3m12s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    return f"{seconds:.0f}s" if seconds < 60 else duration_text(seconds)


def step_cell(step: Step, now: float) -> Cell:
    """A step in a few words: `◐ set up 3/5  0m22s`."""
    return joined("  ", ((*STEP_GLYPHS[step.status], *cell(f" {step.name}")), _took(step, now)))


def _took(step: Step, now: float) -> Cell:
    if not step.started_at:
        return ()
    if step.ended_at:
        return cell((took_text(step.ended_at - step.started_at), "$quiet"))
    return cell((duration_text(now - step.started_at), "$state-starting"))


def _newest(step: Step, _now: float) -> Cell:
    failed = step.status is StepStatus.FAILED
    words = step.detail.removeprefix(f"{step.name}: ") if failed else newest_words(step)
    return cell((" ".join(words.split()), "$state-failed" if failed else "$quiet"))


_STATUS: Column[Step] = Column("", lambda step, _: STEP_GLYPHS[step.status], 1)
_NODE: Column[Step] = Column(
    "NODE",
    lambda step, _: cell((step.node or "–", "bold" if step.node else "$quiet")),
    4,
    most=20,
    measure=lambda step: len(step.node),
    drop=2,
)
_WHAT: tuple[Column[Step], ...] = (
    Column(
        "STEP", lambda step, _: cell(step.name), 16, most=36, measure=lambda step: len(step.name)
    ),
    Column("TOOK", _took, 6, right=True),
    Column("NEWEST LINE", _newest, 16, flex=True, drop=1),
)
