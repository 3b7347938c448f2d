"""Steps of a launch as lines: one line a step, rewritten while it runs on a terminal."""

from __future__ import annotations

import shutil
import threading
from types import TracebackType
from typing import TextIO

from raytui.model.step import Step, StepStatus
from raytui.model.text import duration_text

_GLYPHS = {
    StepStatus.WAITING: "·",
    StepStatus.RUNNING: "◐",
    StepStatus.DONE: "✓",
    StepStatus.FAILED: "✕",
    StepStatus.SKIPPED: "–",
}


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


def step_line(step: Step) -> str:
    """`✓ start the head  1.9s  node-head 127.0.0.1`."""
    parts = [f"{_GLYPHS[step.status]} {step.name}"]
    if step.ended_at:
        took = step.ended_at - step.started_at
        parts.append(f"{took:.1f}s" if took < 60 else duration_text(took))
    if step.detail:
        parts.append(step.detail)
    return "  ".join(parts)
