"""What is avoided after failed launches and interruptions: a few lines, gone when nothing is."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widgets import Static

from raytui.autoscaler.planning.avoided import refuses, scope_text
from raytui.model.plan import LaunchFailure
from raytui.model.text import clock_text, count_text
from raytui.widgets.cell import Cell, cell, to_content

_MOST = 6


class AvoidedList(Static):
    """One line for each standing failure: what it blocks, until when, the provider's own words."""

    DEFAULT_CSS = """
    AvoidedList {
        height: auto; padding: 0 1; display: none;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False, id="avoided")
        self._shown: tuple[LaunchFailure, ...] = ()

    def show(self, failures: Sequence[LaunchFailure], now: float) -> None:
        """Show what stands at `now` (unix seconds), the longest to come first."""
        standing = tuple(
            sorted((f for f in failures if f.retry_at > now), key=lambda f: -f.retry_at)
        )
        if standing == self._shown:
            return
        self._shown = standing
        self.display = bool(standing)
        self.update(to_content(*_lines(standing)))


def _lines(standing: Sequence[LaunchFailure]) -> list[Cell]:
    shown = standing[:_MOST]
    what = _even([scope_text(failure) for failure in shown])
    why = _even([f"{failure.kind.value} ×{failure.count}" for failure in shown])
    lines = [cell((f"AVOIDED AFTER {_failed(standing)}", "bold $heading"))]
    lines += [
        cell(
            ("✕ ", "$state-failed"),
            words,
            (f"  {kind}", "$state-failed"),
            (f"  until {clock_text(failure.retry_at)}  ", "$quiet"),
            " ".join(failure.message.split()),
        )
        for words, kind, failure in zip(what, why, shown, strict=True)
    ]
    more = len(standing) - _MOST
    if more > 0:
        lines.append(cell((f"  and {more} more: raytui status", "$quiet")))
    return lines


def _even(texts: Sequence[str]) -> list[str]:
    width = max(map(len, texts), default=0)
    return [text.ljust(width) for text in texts]


def _failed(standing: Sequence[LaunchFailure]) -> str:
    failed = sum(f.count for f in standing if refuses(f))
    taken_back = sum(f.count for f in standing if not refuses(f))
    parts = []
    if failed:
        parts.append(count_text(failed, "FAILED LAUNCH", "FAILED LAUNCHES"))
    if taken_back:
        parts.append(count_text(taken_back, "INTERRUPTION"))
    return ", ".join(parts)
