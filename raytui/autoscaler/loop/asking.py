"""Launch calls that do not answer: asked again under the same id, and at last given up."""

from __future__ import annotations

from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.launching import Launching
from raytui.autoscaler.loop.orders import LaunchDone, Orders
from raytui.backends.base import LaunchRequest, TransientError
from raytui.model.lifecycle import Timeouts
from raytui.model.snapshot import Level
from raytui.model.text import duration_text

TRIES = 3


class Asking:
    """Keeps the patience for every launch call. Belongs to the thread that ticks."""

    def __init__(self, orders: Orders, launching: Launching, journal: Journal) -> None:
        self._orders = orders
        self._launching = launching
        self._journal = journal
        self._asked: dict[str, tuple[float, int]] = {}
        """By request: when it was asked last, in steady seconds, and how often."""

    def look(self, limits: Timeouts, now: float, steady: float) -> None:
        """Ask again what has not answered in time; give up what has not three times.

        Nodes that come of a call that was given up are still taken in: see `Sync`.
        """
        under_way = self._orders.launching
        self._asked = {
            request.request_id: self._asked.get(request.request_id, (steady, 1))
            for request, _ in under_way
        }
        for request, decision_id in under_way:
            asked_at, tries = self._asked[request.request_id]
            if steady - asked_at <= limits.request_s:
                continue
            self._orders.abandon(request.request_id)
            if tries < TRIES:
                self._ask_again(request, decision_id, tries + 1, now)
                self._asked[request.request_id] = (steady, tries + 1)
            else:
                words = f"no answer to {TRIES} calls of {duration_text(limits.request_s)} each"
                done = LaunchDone(request, decision_id, error=TransientError(words))
                self._launching.answered(done, now)

    def _ask_again(self, request: LaunchRequest, decision_id: int, tries: int, now: float) -> None:
        text = (
            f"no answer to the launch of {request.count} × {request.node_type}: "
            f"asking again ({tries} of {TRIES})"
        )
        self._journal.say(now, Level.WARNING, text, decision_id=decision_id)
        self._launching.carry_out([(request, decision_id)], now)
