"""States, reasons and levels as glyph, word and colour: the same on every screen."""

from __future__ import annotations

from raytui.autoscaler.explain import explain, why_here
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Wait
from raytui.model.reason import Reason
from raytui.model.snapshot import Level, Row
from raytui.screens.phases import short_status
from raytui.widgets.cell import Cell

_STATUS: dict[InstanceStatus, Cell] = {
    InstanceStatus.QUEUED: (("◐ queued", "$state-starting"),),
    InstanceStatus.REQUESTED: (("◐ requested", "$state-starting"),),
    InstanceStatus.ALLOCATED: (("◐ allocated", "$state-starting"),),
    InstanceStatus.SETTING_UP: (("◐ setting up", "$state-starting"),),
    InstanceStatus.RUNNING: (("● running", "$state-running"),),
    InstanceStatus.DRAINING: (("▽ draining", "$state-draining"),),
    InstanceStatus.TERMINATING: (("▽ terminating", "$state-draining"),),
    InstanceStatus.TERMINATED: (("· terminated", "$quiet"),),
    InstanceStatus.LAUNCH_FAILED: (("✕ launch failed", "$state-failed"),),
    InstanceStatus.SETUP_FAILED: (("✕ setup failed", "$state-failed"),),
    InstanceStatus.LOST: (("✕ lost", "$state-failed"),),
}
_IDLE: Cell = (("◌ idle", "$state-idle"),)

_WAIT: dict[Wait, Cell] = {
    Wait.RAY: (("● placing", "$state-running"),),
    Wait.STARTING: (("◐ starting", "$state-starting"),),
    Wait.LAUNCH: (("◐ launching", "$state-starting"),),
    Wait.BLOCKED: (("■ blocked", "$state-draining"),),
    Wait.INFEASIBLE: (("✕ infeasible", "$state-failed"),),
}

_LEVEL: dict[Level, Cell] = {
    Level.INFO: (("·", "$quiet"),),
    Level.GOOD: (("✓", "$state-running"),),
    Level.WARNING: (("!", "$state-draining"),),
    Level.ERROR: (("✕", "$state-failed"),),
}

HELD: Cell = (("⏸", "$state-held"),)


def status_cell(row: Row) -> Cell:
    """How a node is: `● running`, `◌ idle`, `▽ draining`, `◐ setup 3/5`."""
    member = row.member
    if member.status is InstanceStatus.SETTING_UP and member.instance is not None:
        return _setting_up(member.instance.detail) or _STATUS[member.status]
    return _IDLE if member.idle else _STATUS[member.status]


def _setting_up(detail: str) -> Cell:
    """How far a set-up is, by the newest word about it; ✕ while it waits to be tried again."""
    failed = detail.startswith("✕ ")
    words = short_status(detail.removeprefix("✕ "))
    if not words:
        return ()
    return ((f"✕ {words}", "$state-failed"),) if failed else ((f"◐ {words}", "$state-starting"),)


def wait_cell(wait: Wait) -> Cell:
    """What a request waits for: `◐ starting`, `■ blocked`."""
    return _WAIT[wait]


def level_cell(level: Level) -> Cell:
    """The glyph of an event."""
    return _LEVEL[level]


def reason_text(reason: Reason | None, now: float) -> str:
    """The reason in words; empty when there is none."""
    return explain(reason, now) if reason is not None else ""


def why_text(row: Row, now: float) -> str:
    """Why a node is here, and the newest word about it while it is not running."""
    words = why_here(row, now)
    instance = row.member.instance
    if instance is None or not instance.detail or row.member.node is not None:
        return words
    newest = instance.detail.strip().splitlines()[-1]
    if short_status(newest.removeprefix("✕ ")):
        newest = newest.partition(": ")[2]  # which step it is, the status says
    return " · ".join(part for part in (words, newest) if part)
