"""How Ray's words for jobs, actors, tasks and groups read: glyph, word, colour, everywhere."""

from __future__ import annotations

from collections.abc import Mapping

from raytui.model.resources import Resources
from raytui.model.text import duration_text
from raytui.widgets.cell import Cell, cell

NONE: Cell = (("–", "$quiet"),)

_RUNS = "$state-running"
_STARTS = "$state-starting"
_WAITS = "$state-draining"
_FAILED = "$state-failed"
_STATES: Mapping[str, tuple[str, str, str]] = {
    "RUNNING": ("●", "running", _RUNS),
    "ALIVE": ("●", "alive", _RUNS),
    "CREATED": ("●", "placed", _RUNS),
    "SUBMITTED_TO_WORKER": ("●", "on its way", _RUNS),
    "RUNNING_IN_RAY_GET": ("●", "waits in get", _RUNS),
    "RUNNING_IN_RAY_WAIT": ("●", "waits in wait", _RUNS),
    "GETTING_AND_PINNING_ARGS": ("◐", "gets arguments", _STARTS),
    "PENDING": ("◐", "pending", _STARTS),
    "PENDING_CREATION": ("◐", "to be made", _STARTS),
    "DEPENDENCIES_UNREADY": ("◐", "waits for input", _STARTS),
    "RESTARTING": ("◐", "restarting", _STARTS),
    "RESCHEDULING": ("◐", "placed anew", _STARTS),
    "PENDING_ARGS_AVAIL": ("◐", "waits for input", _STARTS),
    "PENDING_NODE_ASSIGNMENT": ("■", "waits for room", _WAITS),
    "PENDING_OBJ_STORE_MEM_AVAIL": ("■", "waits for store", _WAITS),
    "PENDING_ARGS_FETCH": ("◐", "fetches input", _STARTS),
    "SUCCEEDED": ("✓", "succeeded", "$quiet"),
    "FINISHED": ("✓", "finished", "$quiet"),
    "FAILED": ("✕", "failed", _FAILED),
    "DEAD": ("✕", "dead", _FAILED),
    "STOPPED": ("·", "stopped", "$quiet"),
    "REMOVED": ("·", "removed", "$quiet"),
}  # fmt: skip


def state_word(state: str) -> str:
    """Ray's word in ours; one that we do not know as it is."""
    known = _STATES.get(state)
    return known[1] if known is not None else state.lower().replace("_", " ") or "unknown"


def state_cell(state: str) -> Cell:
    """`● running`, `■ waits for room`, `✕ failed`."""
    glyph, word, style = _STATES.get(state, ("·", state_word(state), "$quiet"))
    return cell((f"{glyph} {word}", style))


def resources_text(amounts: Mapping[str, float]) -> str:
    """`{CPU: 1, GPU: 1}`; empty without any."""
    return Resources.of(amounts).text() if amounts else ""


def resources_cell(amounts: Mapping[str, float]) -> Cell:
    """The same as a cell."""
    return cell(resources_text(amounts)) or NONE


def since_cell(at: float, now: float) -> Cell:
    """How long ago a moment was, unix seconds; `–` when it is unknown (0)."""
    return cell(duration_text(now - at)) if at else NONE


def took_cell(started_at: float, ended_at: float, now: float) -> Cell:
    """How long it ran, or has run so far."""
    return cell(duration_text((ended_at or now) - started_at)) if started_at else NONE
