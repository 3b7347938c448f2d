"""The grid of set-ups: a row a node, a column a phase, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from raytui.model.step import Step, StepStatus
from raytui.model.text import count_text, duration_text
from raytui.screens.phases import NodeSetup, Phase, exit_code, newest_words, phase_of, setup_of
from raytui.screens.steptable import STEP_GLYPHS, took_text
from raytui.widgets.cell import Cell, cell, width_of
from raytui.widgets.columns import Column
from raytui.widgets.fitted import Part
from raytui.widgets.table import LineTable

_NOT_IN_IT: Cell = (("–", "$quiet"),)
_NOT_SO_FAR: Cell = STEP_GLYPHS[StepStatus.WAITING]


def setup_table(now: Callable[[], float], *, empty: str) -> LineTable[NodeSetup]:
    """The grid as a list; its id is `setups`."""
    return LineTable(
        SETUP_COLUMNS,
        key=lambda setup: setup.node,
        now=now,
        fields=setup_fields,
        id="setups",
        empty=empty,
    )


def setups_of(steps: Iterable[Step]) -> list[NodeSetup]:
    """The set-ups among these steps, the nodes in the order in which they came."""
    by_node: dict[str, list[Step]] = {}
    for step in steps:
        if step.node:
            by_node.setdefault(step.node, []).append(step)
    setups = (setup_of(node, own) for node, own in by_node.items())
    return [setup for setup in setups if setup.phases]


def phase_cell(setup: NodeSetup, phase: Phase, now: float) -> Cell:
    """`✓ 41s`, `◐ 3/5 0m22s`, `✕ 2/5 exit 100`, `·` before it, `–` when it is not part of it."""
    progress = setup.phases.get(phase)
    if progress is None:
        return _NOT_IN_IT if setup.is_planned else _NOT_SO_FAR
    ((glyph, style),) = STEP_GLYPHS[progress.status]
    count = f" {progress.number}" if progress.number else ""
    step = progress.step
    match progress.status:
        case StepStatus.RUNNING:
            running = f" {duration_text(now - step.started_at)}" if step.started_at else ""
            return cell((f"{glyph}{count}{running}", style))
        case StepStatus.FAILED:
            code = exit_code(step)
            words = f" exit {code}" if code else f" {took_text(step.ended_at - step.started_at)}"
            return cell((f"{glyph}{count}{words}", style))
        case StepStatus.DONE:
            return cell((glyph, style), (f" {took_text(progress.took_s)}", "$quiet"))
        case StepStatus.SKIPPED if step.detail == "done before":
            return cell((f"{glyph} before", style))
    return STEP_GLYPHS[progress.status]


def outcome_cell(setup: NodeSetup, _now: float) -> Cell:
    """How long the whole took, or the newest line of what goes on or failed."""
    if setup.is_done:
        return cell((took_text(setup.took_s), "bold"))
    step = setup.newest
    words = newest_words(step)
    if phase_of(step.name) in _DROPPED:
        # On a narrow terminal nothing else tells what is under way.
        words = f"{step.name}: {words}" if words else step.name
    if step.status is StepStatus.FAILED:
        return cell((words or f"{step.name} failed", "$state-failed"))
    return cell((words, "$quiet"))


def setup_fields(setup: NodeSetup) -> Mapping[str, str]:
    """What a filter finds a set-up by."""
    status = "failed" if setup.failed else "done" if setup.is_done else "running"
    step = setup.newest
    return {"node": setup.node, "status": status, "step": step.name, "line": step.detail}


def census(setups: Sequence[NodeSetup]) -> list[Part]:
    """How many set-ups there are, by state."""
    done = sum(setup.is_done for setup in setups)
    failed = sum(setup.failed is not None for setup in setups)
    states = (
        ("✓", done, "set up", "$state-running"),
        ("◐", len(setups) - done - failed, "under way", "$state-starting"),
        ("✕", failed, "failed", "$state-failed"),
    )
    heading = count_text(len(setups), "SET-UP", "SET-UPS")
    return [
        Part(cell((heading, "bold $heading"))),
        *(
            Part(cell((f"{glyph} {count:,} {words}", style)), drop=6)
            for glyph, count, words, style in states
            if count
        ),
    ]


def _column(phase: Phase, width: int, most: int, drop: int) -> Column[NodeSetup]:
    def widest(setup: NodeSetup) -> int:
        progress = setup.phases.get(phase)
        if progress is None:
            return 1
        # As wide as it will be a minute after its begin, so that it need not grow.
        return width_of(phase_cell(setup, phase, progress.step.started_at + 60))

    return Column(
        phase.value,
        lambda setup, now: phase_cell(setup, phase, now),
        width,
        most=most,
        measure=widest,
        drop=drop,
        sort=lambda setup: _order(setup, phase),
    )


def _order(setup: NodeSetup, phase: Phase) -> tuple[int, float] | None:
    progress = setup.phases.get(phase)
    if progress is None:
        return None
    return _RANK[progress.status], -progress.took_s


def _outcome_order(setup: NodeSetup) -> tuple[int, float]:
    """Failed ones first, then those under way, then the slowest."""
    if setup.failed is not None:
        return 0, 0.0
    return (2, -setup.took_s) if setup.is_done else (1, 0.0)


_RANK = {
    StepStatus.FAILED: 0,
    StepStatus.RUNNING: 1,
    StepStatus.DONE: 2,
    StepStatus.SKIPPED: 3,
    StepStatus.WAITING: 4,
}
_DROPPED = (Phase.SSH, Phase.FILES, Phase.INIT, Phase.DOCKER)
"""Phases whose columns a narrow terminal has no room for."""

SETUP_COLUMNS: tuple[Column[NodeSetup], ...] = (
    Column(
        "NODE",
        lambda setup, _: cell((setup.node, "bold")),
        8,
        most=24,
        keep_end=True,
        measure=lambda setup: len(setup.node),
        sort=lambda setup: setup.node,
    ),
    _column(Phase.SSH, 5, 8, drop=4),
    _column(Phase.FILES, 5, 14, drop=5),
    _column(Phase.INIT, 4, 14, drop=6),
    _column(Phase.DOCKER, 6, 14, drop=7),
    _column(Phase.SETUP, 5, 15, drop=0),
    _column(Phase.RAY, 5, 14, drop=0),
    Column("UP IN", outcome_cell, 18, flex=True, sort=_outcome_order),
)
