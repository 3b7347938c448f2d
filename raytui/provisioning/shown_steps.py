"""What was told of set-ups, as people may ask for it: the newest word of each step, by node."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from raytui.model.step import Step, StepStatus
from raytui.model.text import duration_text

DONE_BEFORE = "done before"
"""The word of a step that an earlier try has done."""

_DONE_SHOWN_S = 600.0
_DONE_SHOWN = 200
"""Nodes that are done and still shown, at most: for so many seconds, and so many of them."""


class ShownSteps:
    """Takes steps from any thread (it is a StepSink), and tells them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells unix seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._steps: dict[str, dict[str, Step]] = {}
        self._next_try: dict[str, float] = {}
        self._finished: dict[str, float] = {}

    def __call__(self, step: Step) -> None:
        """The newest word of a step. What was done in an earlier try stays shown as done."""
        with self._lock:
            steps = self._steps.setdefault(step.node, {})
            known = steps.get(step.name)
            waits = step.status is StepStatus.WAITING
            if known and known.status is StepStatus.DONE and (waits or step.detail == DONE_BEFORE):
                return
            steps[step.name] = step

    def begin(self, node: str) -> None:
        """A try begins, with what failed before it."""
        with self._lock:
            self._next_try.pop(node, None)
            if self._finished.pop(node, None) is not None:
                self._steps.pop(node, None)
            steps = self._steps.get(node, {})
            for name, step in steps.items():
                if step.status is StepStatus.FAILED:
                    steps[name] = Step(node, name, StepStatus.WAITING)

    def fails_until(self, node: str, at: float) -> None:
        """The next try is at `at` (unix seconds)."""
        with self._lock:
            self._next_try[node] = at

    def finish(self, node: str) -> None:
        """No more is tried. What still waits was of an earlier plan."""
        with self._lock:
            steps = self._steps.get(node, {})
            for name in [n for n, step in steps.items() if step.status is StepStatus.WAITING]:
                del steps[name]
            self._finished[node] = self._clock()
            self._forget_old()

    def forget(self, node: str) -> None:
        """The node is gone."""
        with self._lock:
            self._drop(node)

    def newest(self, node: str) -> str:
        """What goes on there, in one line: `set up 3/5: Collecting torch`; empty if nothing."""
        with self._lock:
            steps = self._steps.get(node, {}).values()
            going = [s for s in steps if s.status is StepStatus.RUNNING]
            failed = [s for s in steps if s.status is StepStatus.FAILED]
            if going:
                return f"{going[-1].name}: {going[-1].detail}".removesuffix(": ")
            if not failed:
                return ""
            last = self._as_now(failed[-1])
            words = (
                last.detail if last.detail.startswith(last.name) else f"{last.name}: {last.detail}"
            )
            return f"✕ {words}"

    def all(self) -> list[Step]:
        """Every step of nodes under way, failed, or done in the last ten minutes, in order."""
        with self._lock:
            self._forget_old()
            return [self._as_now(one) for steps in self._steps.values() for one in steps.values()]

    def find(self, node: str, name: str) -> Step | None:
        """One step as it was told last."""
        with self._lock:
            return self._steps.get(node, {}).get(name)

    def _as_now(self, step: Step) -> Step:
        at = self._next_try.get(step.node)
        if step.status is not StepStatus.FAILED or at is None:
            return step
        words = f"{step.detail} · trying again in {duration_text(at - self._clock())}"
        return msgspec.structs.replace(step, detail=words)

    def _forget_old(self) -> None:
        now = self._clock()
        old = [node for node, at in self._finished.items() if now - at > _DONE_SHOWN_S]
        beyond = list(self._finished)[: max(0, len(self._finished) - _DONE_SHOWN)]
        for node in {*old, *beyond}:
            self._drop(node)

    def _drop(self, node: str) -> None:
        for kept in (self._steps, self._next_try, self._finished):
            kept.pop(node, None)
