"""Steps as lines: those to keep, of what is over, and those to draw again, of what goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from raytui.backends.last_lines import last_lines
from raytui.cli.columns import cut
from raytui.model.step import Step, StepStatus
from raytui.model.text import count_text, duration_text, plain

_GLYPHS = {
    StepStatus.WAITING: "·",
    StepStatus.RUNNING: "◐",
    StepStatus.DONE: "✓",
    StepStatus.FAILED: "✕",
    StepStatus.SKIPPED: "–",
}
_OPEN = (StepStatus.WAITING, StepStatus.RUNNING)
_LAST_LINES = 10
"""Of the output of a step that failed."""
_QUIET_S = 2.0
"""A node with nothing to do for this long is done: steps may come in several pieces."""
_STEP_WIDTH = 28
_STEP_WIDTH_BESIDE_NODE = 18
"""Columns that a step's glyph and name take, so that what follows lines up."""


@dataclass
class _Node:
    """The steps of one node so far."""

    steps: dict[str, Step] = field(default_factory=dict)
    changed_at: float = 0.0
    is_told: bool = False

    def open(self) -> bool:
        """Whether something is under way, or is about to be."""
        return self._any(StepStatus.RUNNING) or (
            self._any(StepStatus.WAITING) and not self._any(StepStatus.FAILED)
        )

    def failed(self) -> bool:
        """Whether it stopped at a step that failed."""
        return self._any(StepStatus.FAILED) and not self.open()

    def _any(self, status: StepStatus) -> bool:
        return any(step.status is status for step in self.steps.values())

    def newest(self) -> Step:
        """The step under way; between two, the one that ended last."""
        begun = [step for step in self.steps.values() if step.status is not StepStatus.WAITING]
        running = [step for step in begun if step.status is StepStatus.RUNNING]
        if running or begun:
            return max(running or begun, key=lambda step: step.started_at)
        return next(iter(self.steps.values()))


class StepLines:
    """All steps told so far. Times are unix seconds.

    When `live`, lines are cut to the terminal's `width`, unless they tell of a failure; and a node
    among several gets one line when it is done, and its steps only while they run.
    """

    def __init__(self, *, live: bool = False, width: int = 0) -> None:
        self._live = live
        self.width = width
        self._nodes: dict[str, _Node] = {}
        self._told: set[tuple[str, str, StepStatus, float]] = set()
        self.has_told_output = False
        """The output of a failed step is among the lines so far."""

    def take(self, step: Step, now: float) -> None:
        """A step as it stands now."""
        node = self._nodes.setdefault(step.node, _Node())
        node.steps[step.name] = step
        node.changed_at = now
        if step.status in _OPEN:
            node.is_told = False

    def over(self, now: float, *, at_end: bool = False) -> list[str]:
        """What has ended since the last call; `at_end`: nothing more will be told."""
        lines: list[str] = []
        for name, node in self._nodes.items():
            for step in node.steps.values():
                key = (name, step.name, step.status, step.started_at)
                if step.status in _OPEN or key in self._told:
                    continue
                self._told.add(key)
                if step.status is StepStatus.FAILED:
                    output = _end_of_output(step)
                    self.has_told_output |= len(output) > 1
                    lines += [step_line(step, now, self._name(name)), *output]
                elif not self._in_one_line(name):
                    lines.append(self._line(name, step, now))
                    node.is_told = True
            if self._in_one_line(name) and not node.is_told and not node.open():
                node.is_told = at_end or now - node.changed_at >= _QUIET_S
                if node.is_told and not node.failed():
                    lines.append(_node_line(self._name(name), node))
        return lines

    def under_way(self, now: float, room: int) -> list[str]:
        """What goes on, in at most `room` lines."""
        lines: list[str] = []
        for name, node in self._nodes.items():
            if self._in_one_line(name):
                if not node.is_told and not node.failed():
                    lines.append(self._line(name, node.newest(), now))
            else:
                running = (s for s in node.steps.values() if s.status is StepStatus.RUNNING)
                lines += [self._line(name, step, now) for step in running]
        if len(self._names()) > 1:
            kept = lines[: max(0, room - 1)]
            summary = cut(self._summary(len(lines) - len(kept)), self.width)
            return [*kept, summary] if lines else []
        return lines[:room]

    def _summary(self, hidden: int) -> str:
        nodes = [self._nodes[name] for name in self._names()]
        failed = sum(node.failed() for node in nodes)
        under_way = sum(not node.is_told and not node.failed() for node in nodes)
        parts = [f"{len(nodes) - failed - under_way} of {count_text(len(nodes), 'node')} set up"]
        if failed:
            parts.append(f"{failed} failed")
        if hidden:
            parts.append(f"{hidden} more under way")
        return ", ".join(parts)

    def _line(self, name: str, step: Step, now: float) -> str:
        line = step_line(step, now, self._name(name))
        return cut(line, self.width) if self._live else line

    def _names(self) -> list[str]:
        return [name for name in self._nodes if name]

    def _in_one_line(self, name: str) -> bool:
        return bool(name) and self._live and len(self._names()) > 1

    def _name(self, name: str) -> str:
        """A node's name as it stands before its line, where there are several."""
        names = self._names()
        several = bool(name) and len(names) > 1
        return plain(name).ljust(max(map(len, names))) if several else ""


def step_line(step: Step, now: float, node: str = "") -> str:
    """`✓ start the head   1.9s  node-head 127.0.0.1`, after the node's name if there is one."""
    words = f"{_GLYPHS[step.status]} {plain(step.name)}"
    took = ""
    if step.ended_at:
        took = _took(step.ended_at - step.started_at)
    elif step.started_at:
        took = duration_text(now - step.started_at)
    width = _STEP_WIDTH_BESIDE_NODE if node else _STEP_WIDTH
    detail = plain(step.detail.removeprefix(f"{step.name}: "))
    line = f"{words.ljust(width)}  {took:>6}  {detail}".rstrip()
    return f"{node}  {line}" if node else line


def _node_line(name: str, node: _Node) -> str:
    steps = [step for step in node.steps.values() if step.ended_at]
    began = min((step.started_at for step in steps), default=0.0)
    took = max((step.ended_at for step in steps), default=0.0) - began
    return f"{name}  {'✓ set up'.ljust(_STEP_WIDTH_BESIDE_NODE)}  {_took(took):>6}"


def _took(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else duration_text(seconds)


def _end_of_output(step: Step) -> list[str]:
    """The last lines that a failed step printed, and where all of them are."""
    if not step.output:
        return []
    try:
        lines = last_lines(Path(step.output), _LAST_LINES)
    except OSError:
        # A worker's are on the head.
        return [f"    all of its output, on the head: {step.output}"]
    return [*(f"    {plain(line)}" for line in lines), f"    all of its output: {step.output}"]
