"""The phases of a node's set-up: which step belongs to which, and how far each phase is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from msgspec import Struct

from raytui.model.step import Step, StepStatus


class Phase(Enum):
    """What a set-up is made of, in its order; the value is the phase's title."""

    SSH = "SSH"
    FILES = "FILES"
    INIT = "INIT"
    DOCKER = "DOCKER"
    SETUP = "SETUP"
    RAY = "RAY"


_BEGINS: tuple[tuple[str, Phase], ...] = (
    ("wait for login", Phase.SSH),
    ("copy raytui", Phase.SETUP),
    ("install raytui", Phase.SETUP),
    ("copy ", Phase.FILES),
    ("initialize ", Phase.INIT),
    ("look at the container", Phase.DOCKER),
    ("start the container", Phase.DOCKER),
    ("set up ", Phase.SETUP),
    ("end the old Ray", Phase.RAY),
    ("start Ray", Phase.RAY),
    ("watch for interruption", Phase.RAY),
)
_EXIT_CODE = re.compile(r"\bexit code (\d+)(?:: )?")
_NUMBER = re.compile(r" (\d+/\d+)$")


def phase_of(step_name: str) -> Phase | None:
    """The phase of a step, by its name; None when it is no step of a node's set-up."""
    return next((phase for begin, phase in _BEGINS if step_name.startswith(begin)), None)


def short_status(detail: str) -> str:
    """`setup 3/5` of the newest word about a set-up (`set up 3/5: Collecting torch`), or empty."""
    name = detail.partition(":")[0]
    phase = phase_of(name)
    if phase is None:
        return ""
    number = _NUMBER.search(name)
    return f"{phase.value.lower()} {number[1]}" if number else phase.value.lower()


class Progress(Struct, frozen=True):
    """How far one phase of one node is."""

    status: StepStatus
    step: Step
    """The one under way or failed; else the last one."""
    number: str
    """Of this step among several of its kind, `3/5`; empty when there are none."""
    took_s: float
    """What its ended steps took together."""


class NodeSetup(Struct, frozen=True):
    """The set-up of one node as it stands."""

    node: str
    steps: tuple[Step, ...]
    phases: Mapping[Phase, Progress]
    """Those that it has; without any, nothing is set up there."""

    @property
    def failed(self) -> Step | None:
        """The step at which it stopped; None while it is tried again."""
        newest = self.newest
        return newest if newest.status is StepStatus.FAILED else None

    @property
    def is_planned(self) -> bool:
        """Whether all its steps are known: they are once the node can be logged in to."""
        return any(phase is not Phase.SSH for phase in self.phases)

    @property
    def is_done(self) -> bool:
        """Whether it came to its end."""
        ended = (StepStatus.DONE, StepStatus.SKIPPED)
        return self.is_planned and all(step.status in ended for step in self.steps)

    @property
    def newest(self) -> Step:
        """The step to look at, see `newest_of`."""
        return newest_of(self.steps)

    @property
    def took_s(self) -> float:
        """Seconds from its begin to the end of its last step."""
        began = min((s.started_at for s in self.steps if s.started_at), default=0.0)
        return max((s.ended_at for s in self.steps), default=0.0) - began


def setup_of(node: str, steps: Iterable[Step]) -> NodeSetup:
    """The set-up that all steps of a node are; they come in their order."""
    kept = tuple(steps)
    parts: dict[Phase, list[Step]] = {}
    for step in kept:
        phase = phase_of(step.name)
        if phase is not None:
            parts.setdefault(phase, []).append(step)
    return NodeSetup(node, kept, {phase: _progress(part) for phase, part in parts.items()})


def newest_of(steps: Sequence[Step]) -> Step:
    """The step to look at: the one under way, the failed one, or the one that began last."""
    for status in (StepStatus.RUNNING, StepStatus.FAILED):
        for step in steps:
            if step.status is status:
                return step
    return max(steps, key=lambda step: step.started_at)


def exit_code(step: Step) -> str:
    """The exit code of what failed, or empty."""
    found = _EXIT_CODE.search(step.detail)
    return found[1] if found else ""


def newest_words(step: Step) -> str:
    """The newest line of a step's output, without what its cell says already."""
    words = step.detail.removeprefix(f"{step.name}: ")
    if step.status is StepStatus.FAILED:
        words = _EXIT_CODE.sub("", words, count=1) or words
    return " ".join(words.split())


def _progress(steps: Sequence[Step]) -> Progress:
    took = sum(step.ended_at - step.started_at for step in steps if step.ended_at)
    for status in (StepStatus.RUNNING, StepStatus.FAILED):
        for step in steps:
            if step.status is status:
                return Progress(status, step, _number(step, steps), took)
    waiting = [step for step in steps if step.status is StepStatus.WAITING]
    if waiting:
        # Between two of its steps a phase goes on.
        status = StepStatus.WAITING if len(waiting) == len(steps) else StepStatus.RUNNING
        return Progress(status, waiting[0], _number(waiting[0], steps), took)
    skipped = all(step.status is StepStatus.SKIPPED for step in steps)
    status = StepStatus.SKIPPED if skipped else StepStatus.DONE
    return Progress(status, steps[-1], "", took)


def _number(step: Step, steps: Sequence[Step]) -> str:
    named = _NUMBER.search(step.name)
    if named:
        return "" if named[1] == "1/1" else named[1]
    copies = [one for one in steps if phase_of(one.name) is Phase.FILES]
    return f"{copies.index(step) + 1}/{len(copies)}" if len(copies) > 1 else ""
