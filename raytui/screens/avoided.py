"""What is avoided after failed launches: a few lines, gone when nothing is."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widgets import Static

from raytui.autoscaler.planning.avoided import scope_text
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
    what = [scope_text(failure) for failure in standing[:_MOST]]
    width = max(map(len, what), default=0)
    lines = [cell((f"AVOIDED AFTER {_failed(standing)}", "bold $heading"))]
    lines += [
        cell(
            ("✕ ", "$state-failed"),
            words.ljust(width),
            (f"  {failure.kind.value} ×{failure.count}".ljust(16), "$state-failed"),
            (f"  until {clock_text(failure.retry_at)}  ", "$quiet"),
            " ".join(failure.message.split()),
        )
        for words, failure in zip(what, standing, strict=False)
    ]
    more = len(standing) - _MOST
    if more > 0:
        lines.append(cell((f"  and {more} more: raytui status", "$quiet")))
    return lines


def _failed(standing: Sequence[LaunchFailure]) -> str:
    return count_text(sum(f.count for f in standing), "FAILED LAUNCH", "FAILED LAUNCHES")
