"""What a launch is made of: steps that can be shown while they happen."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct


class StepStatus(StrEnum):
    """How far a step is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Step(Struct, frozen=True, omit_defaults=True):
    """One step of bringing a cluster up or taking it down, as it stands now.

    A step is named by (`node`, `name`); later ones with the same name replace earlier ones.
    """

    node: str
    """The node it is about: `head`, an instance id, or empty for the whole cluster."""
    name: str
    """What is done, in the present: `start Ray`, `wait for GCS`, `start the autoscaler`."""
    status: StepStatus
    started_at: float = 0.0
    """Unix seconds; 0 while it waits."""
    ended_at: float = 0.0
    detail: str = ""
    """The newest line of output, or the error."""
    output: str = ""
    """The file here that has the whole output, where one is kept."""


StepSink = Callable[[Step], None]


class LaunchError(Exception):
    """A cluster could not be brought up or taken down; `str()` says what failed and what to do."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail
        """The whole output of what failed."""
