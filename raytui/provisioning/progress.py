"""Tell steps as they happen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from raytui.model.step import LaunchError, Step, StepSink, StepStatus


class Progress:
    """One step under way; hands every change of it to the sink."""

    def __init__(self, step: Step, sink: StepSink) -> None:
        self._step = step
        self._sink = sink
        sink(step)

    def say(self, detail: str) -> None:
        """What is known now, in one line."""
        if detail != self._step.detail:
            self._show(detail=detail)

    def skip(self, detail: str) -> None:
        """There was nothing to do."""
        self._show(status=StepStatus.SKIPPED, ended_at=time.time(), detail=detail)

    def finish(self, status: StepStatus, detail: str | None = None) -> None:
        """It ended, unless it was skipped."""
        if self._step.status is StepStatus.RUNNING:
            words = self._step.detail if detail is None else detail
            self._show(status=status, ended_at=time.time(), detail=words)

    def _show(self, **changes: object) -> None:
        self._step = msgspec.structs.replace(self._step, **changes)
        self._sink(self._step)


@contextmanager
def step(sink: StepSink, name: str, node: str = "", output: str = "") -> Iterator[Progress]:
    """A step from its begin to its end; it failed when an exception leaves the block."""
    progress = Progress(Step(node, name, StepStatus.RUNNING, time.time(), output=output), sink)
    try:
        yield progress
    except BaseException as error:
        words = str(error) if isinstance(error, LaunchError) else f"{error or type(error).__name__}"
        progress.finish(StepStatus.FAILED, " ".join(words.split()))
        raise
    progress.finish(StepStatus.DONE)
