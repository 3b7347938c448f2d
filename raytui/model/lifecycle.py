"""The life of an instance: one enum, one table of the moves that are legal, one of timeouts."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class InstanceStatus(StrEnum):
    """Where an instance is between the wish for it and its end."""

    QUEUED = "queued"
    """Intended and written to the ledger; the provider has not been called."""
    REQUESTED = "requested"
    """The provider call is under way."""
    ALLOCATED = "allocated"
    """The provider gave an instance; nothing runs on it yet."""
    SETTING_UP = "setting-up"
    """Set-up commands or `ray start` run; Ray has not registered it."""
    RUNNING = "running"
    """Its Ray node is alive in GCS."""
    DRAINING = "draining"
    """It is to take no new work and to be terminated; RUNNING again when Ray refuses."""
    TERMINATING = "terminating"
    """The provider was told to terminate it."""
    TERMINATED = "terminated"
    LAUNCH_FAILED = "launch-failed"
    """The provider refused or never answered."""
    SETUP_FAILED = "setup-failed"
    """It was allocated but never became a Ray node; it is to be terminated."""
    LOST = "lost"
    """It vanished, or its Ray node died, without us asking; RUNNING again only when it is the head
    and comes back."""


_S = InstanceStatus

TRANSITIONS: dict[InstanceStatus, frozenset[InstanceStatus]] = {
    _S.QUEUED: frozenset({_S.REQUESTED, _S.TERMINATED, _S.LAUNCH_FAILED}),
    _S.REQUESTED: frozenset({_S.ALLOCATED, _S.SETTING_UP, _S.RUNNING, _S.LAUNCH_FAILED, _S.LOST}),
    _S.ALLOCATED: frozenset(
        {_S.SETTING_UP, _S.RUNNING, _S.SETUP_FAILED, _S.DRAINING, _S.TERMINATING, _S.LOST}
    ),
    _S.SETTING_UP: frozenset({_S.RUNNING, _S.SETUP_FAILED, _S.DRAINING, _S.TERMINATING, _S.LOST}),
    _S.RUNNING: frozenset({_S.DRAINING, _S.TERMINATING, _S.LOST}),
    _S.DRAINING: frozenset({_S.RUNNING, _S.TERMINATING, _S.TERMINATED, _S.LOST}),
    _S.SETUP_FAILED: frozenset({_S.TERMINATING, _S.TERMINATED}),
    _S.LOST: frozenset({_S.RUNNING, _S.TERMINATING, _S.TERMINATED}),
    _S.TERMINATING: frozenset({_S.TERMINATED}),
    _S.TERMINATED: frozenset(),
    _S.LAUNCH_FAILED: frozenset(),
}
"""Legal moves. A move to the same status is not a move."""

FINAL = frozenset(status for status, nexts in TRANSITIONS.items() if not nexts)
ON_ORDER = frozenset({_S.QUEUED, _S.REQUESTED})
"""Statuses of what the provider has not given yet, so that it cannot be given back."""
STARTING = frozenset({_S.QUEUED, _S.REQUESTED, _S.ALLOCATED, _S.SETTING_UP})
LEAVING = frozenset({_S.DRAINING, _S.TERMINATING, _S.SETUP_FAILED, _S.LOST})
COUNTED = STARTING | {_S.RUNNING}
"""Statuses that count against max_workers and satisfy min_workers."""


class Timeouts(Struct, frozen=True):
    """How many seconds each stretch of a life may take (`metadata.raytui.timeouts`)."""

    request_s: float = 120.0
    """A launch call: asked again under the same id, and given up after three tries. What comes
    later all the same is taken in."""
    boot_s: float = 600.0
    """ALLOCATED without a sign of set-up or of Ray: SETUP_FAILED, and another one is launched."""
    setup_s: float = 1800.0
    """SETTING_UP: SETUP_FAILED, and another one is launched."""
    register_s: float = 600.0
    """From the start of Ray on it to its Ray node: SETUP_FAILED, and another one is launched."""
    pending_s: float = 900.0
    """The provider has no room for what it gave: SETUP_FAILED, and tried again after a pause. As
    long as Kubernetes' own cluster autoscaler gives a machine (`--max-node-provision-time`)."""
    failing_s: float = 300.0
    """The provider tells of an error that may pass: SETUP_FAILED, and tried again after a pause."""
    drain_s: float = 300.0
    """A drain that Ray cannot be told of: one for idleness is given up, one that was ordered is
    ended this long after its deadline."""
    terminate_s: float = 600.0
    """TERMINATING and still listed: said in the journal, again when twice as long has passed.
    Meanwhile the provider is asked again and again."""


class IllegalTransitionError(Exception):
    """An instance was asked to make a move that the table does not know."""

    def __init__(self, instance_id: str, old: InstanceStatus, new: InstanceStatus) -> None:
        super().__init__(f"{instance_id}: {old} cannot become {new}")
        self.instance_id = instance_id
        self.old = old
        self.new = new


def check_transition(instance_id: str, old: InstanceStatus, new: InstanceStatus) -> None:
    """Raise IllegalTransitionError unless `old` may become `new`."""
    if new not in TRANSITIONS[old]:
        raise IllegalTransitionError(instance_id, old, new)
