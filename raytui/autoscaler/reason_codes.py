"""Reason codes for scripts: one stable word for each kind of reason. docs/reasons.md lists them."""

from __future__ import annotations

from raytui.model.reason import Why

_RENAMED = {
    Why.NO_TYPE_HAS: "infeasible",
    Why.TOO_LARGE: "infeasible",
    Why.NO_TYPE_LABELS: "infeasible",
    Why.MAX_WORKERS_TYPE: "max_workers",
    Why.MAX_WORKERS_GLOBAL: "max_workers_total",
    Why.BACKING_OFF: "launch_backoff",
    Why.FOR_DEMAND: "needed_by_demand",
    Why.EXPECTED: "needed_by_demand",
    Why.FOR_GANG: "needed_by_gang",
    Why.FOR_CONSTRAINT: "needed_by_constraint",
    Why.IDLE_TIMEOUT: "idle",
}
"""What a script need not tell apart, or knows by another name; the text tells the rest."""


def code_of(why: Why) -> str:
    """The code of a reason."""
    return _RENAMED.get(why) or why.value.replace("-", "_")
