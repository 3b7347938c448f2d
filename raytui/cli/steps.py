"""Steps of a launch as they happen: as lines for people, or as JSON for programs."""

from __future__ import annotations

import shutil
import sys
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TextIO

from msgspec import Struct

from raytui.model.codec import encode
from raytui.model.step import Step, StepSink, StepStatus
from raytui.model.text import duration_text

_GLYPHS = {
    StepStatus.WAITING: "·",
    StepStatus.RUNNING: "◐",
    StepStatus.DONE: "✓",
    StepStatus.FAILED: "✕",
    StepStatus.SKIPPED: "–",
}


def printer(as_json: bool = False) -> AbstractContextManager[StepSink]:
    """Where the steps of a command go: enter it for the StepSink.

    Lines for people are talk and go to stderr; JSON, one object a line, is data and goes to stdout.
    """
    return StepJson(sys.stdout) if as_json else StepPrinter(sys.stderr)


class StepPrinter:
    """A StepSink that prints. Steps may come from any thread."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._lock = threading.Lock()

    def __enter__(self) -> StepPrinter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def __call__(self, step: Step) -> None:
        """Show a step as it stands now."""
        ended = step.status not in (StepStatus.WAITING, StepStatus.RUNNING)
        line = step_line(step)
        with self._lock:
            if self._live:
                width = shutil.get_terminal_size().columns - 1
                self._out.write(f"\r\x1b[K{line[:width]}" + ("\n" if ended else ""))
            elif ended:
                self._out.write(line + "\n")
            self._out.flush()


class StepReport(Struct, frozen=True):
    """One line of `--json`; docs/json.md describes it."""

    node: str
    name: str
    status: str
    started_at: float | None
    ended_at: float | None
    took_s: float | None
    detail: str
    output: str


class StepJson:
    """A StepSink that writes each change of a step as one JSON object on one line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def __enter__(self) -> StepJson:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, step: Step) -> None:
        """Write a step as it stands now."""
        line = encode(report_of(step)).decode()
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()


def report_of(step: Step) -> StepReport:
    """A step as programs read it: what is not known yet is null."""
    return StepReport(
        step.node,
        step.name,
        step.status.value,
        step.started_at or None,
        step.ended_at or None,
        step.ended_at - step.started_at if step.ended_at else None,
        step.detail,
        step.output,
    )


def step_line(step: Step) -> str:
    """`✓ start the head  1.9s  node-head 127.0.0.1`."""
    parts = [f"{_GLYPHS[step.status]} {step.name}"]
    if step.ended_at:
        took = step.ended_at - step.started_at
        parts.append(f"{took:.1f}s" if took < 60 else duration_text(took))
    if step.detail:
        parts.append(step.detail)
    return "  ".join(parts)
