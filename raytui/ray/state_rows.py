"""Rows of Ray's state API, asked of the dashboard: one question, one answer, and what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from raytui.ray.base import RayError
from raytui.ray.dashboard import call

MOST_ROWS = 10_000
"""The state API's own upper limit."""

Row = dict[str, Any]

ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a row raises that is not as Ray's are."""


class StateRows(Struct, frozen=True):
    """What the state API told."""

    rows: tuple[Row, ...] = ()
    total: int = 0
    notes: tuple[str, ...] = ()
    """What is missing, in sentences."""


def state_rows(
    url: str,
    kind: str,
    *,
    where: Sequence[tuple[str, str, str]] = (),
    detail: bool = False,
    timeout_s: float = 10.0,
) -> StateRows:
    """All rows of a kind (`actors`, `tasks`, …) for which each (key, `=` or `!=`, value) holds.

    Raises RayError with the dashboard's words.
    """
    query = [("limit", str(MOST_ROWS)), ("timeout", str(max(1, int(timeout_s))))]
    for key, predicate, value in where:
        query += [("filter_keys", key), ("filter_predicates", predicate), ("filter_values", value)]
    if detail:
        query.append(("detail", "1"))
    told = told_by(url, f"/api/v0/{kind}?{urlencode(query)}", kind, timeout_s)
    rows = told.get("result")
    if not isinstance(rows, list):
        raise RayError(f"the dashboard's answer has no {kind}")
    total = max(len(rows), _count(told.get("num_filtered")), _count(told.get("total")))
    if where:
        total = max(len(rows), _count(told.get("num_filtered")))
    return StateRows(
        tuple(row for row in rows if isinstance(row, dict)), total, _notes(told, len(rows), total)
    )


def told_by(url: str, path: str, kind: str, timeout_s: float) -> Row:
    """The answer to one question to the state API; raises RayError."""
    answer = call(url, path, timeout_s=timeout_s + 1)
    if not isinstance(answer, dict) or not answer.get("result"):
        words = answer.get("msg") if isinstance(answer, dict) else ""
        raise RayError(str(words or f"the dashboard does not list {kind}"))
    data = answer.get("data")
    told = data.get("result") if isinstance(data, dict) else None
    if not isinstance(told, dict):
        raise RayError(f"the dashboard's answer has no {kind}")
    return told


def _notes(told: Row, shown: int, total: int) -> tuple[str, ...]:
    notes = [f"only {shown:,} of {total:,} are told"] if total > shown else []
    if warning := str(told.get("partial_failure_warning") or "").strip():
        notes.append(" ".join(warning.split()))
    return tuple(notes)


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
