"""Launch calls whose outcome is not known: asked again under the same id, and at last given up."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from raytui.autoscaler.loop.draining import Draining
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.launching import Launching
from raytui.autoscaler.loop.orders import LaunchDone, Orders, TerminateDone
from raytui.backends.base import LaunchRequest, TransientError
from raytui.model.lifecycle import Timeouts
from raytui.model.plan import FailureKind
from raytui.model.snapshot import Level
from raytui.model.text import duration_text, first_line

TRIES = 3
_OPEN = frozenset({FailureKind.TRANSIENT, FailureKind.THROTTLED})
"""Errors that do not say that nothing was done: by this call, or by the one that it repeats."""
_PAUSE_S = 2.0
"""Before the second try; twice as long before the third."""


class _Call(Struct, frozen=True):
    """A launch call that was made, or is to be made again."""

    request: LaunchRequest
    decision_id: int
    asked_at: float
    """Steady seconds; in the future for a call that is to be made again."""
    tries: int = 1


class Asking:
    """Keeps the patience for every call. Belongs to the thread that ticks.

    A call without an answer, or whose answer was lost, may have brought nodes. To ask for others
    would double them, to ask under the same id does not. What comes after the last try, all the
    same, is taken in by `Sync`.
    """

    def __init__(
        self,
        orders: Orders,
        launching: Launching,
        draining: Draining,
        journal: Journal,
        resumed: Iterable[str],
    ) -> None:
        """`resumed` are requests that were asked for in an earlier life.

        That call may yet arrive, so a refusal of the new one is not the last word.
        """
        self._orders = orders
        self._launching = launching
        self._draining = draining
        self._journal = journal
        self._ending: dict[tuple[str, ...], float] = {}
        """Terminate calls under way, by whom they are to end: since when, in steady seconds."""
        self._calls: dict[str, _Call] = {}
        self._resumed = frozenset(resumed)

    def look(self, limits: Timeouts, now: float, steady: float) -> None:
        """Make the calls that are due again; wait no longer for those without an answer."""
        for request, decision_id in self._orders.launching:
            self._calls.setdefault(request.request_id, _Call(request, decision_id, steady))
        for request_id, call in list(self._calls.items()):
            if call.asked_at > steady:
                continue
            if not self._orders.launches(request_id):
                self._launching.carry_out([(call.request, call.decision_id)], now)
            elif steady - call.asked_at > limits.request_s:
                self._orders.abandon(request_id)
                error = TransientError(f"no answer for {duration_text(limits.request_s)}")
                self.answered(LaunchDone(call.request, call.decision_id, (), error), now, steady)

        self._look_at_terminations(limits, now, steady)

    def _look_at_terminations(self, limits: Timeouts, now: float, steady: float) -> None:
        """A terminate call without an answer has failed; whoever is still there is asked for."""
        under_way = self._orders.terminations
        self._ending = {ids: self._ending.get(ids, steady) for ids in under_way}
        for ids, since in self._ending.items():
            if steady - since > limits.request_s:
                self._orders.abandon_termination(ids)
                error = TransientError(f"no answer for {duration_text(limits.request_s)}")
                self._draining.answered(TerminateDone(ids, error), now)

    def answered(self, done: LaunchDone, now: float, steady: float) -> None:
        """Take in an answer, or ask again when it leaves open what was done."""
        request_id, error = done.request.request_id, done.error
        call = self._calls.pop(request_id, None) or _Call(done.request, done.decision_id, steady)
        unsure = error is not None and (error.kind in _OPEN or request_id in self._resumed)
        is_open = unsure and not done.launched
        if not is_open or call.tries >= TRIES:
            self._launching.answered(done, now)
            return
        self._calls[request_id] = replace(
            call, asked_at=steady + _PAUSE_S * call.tries, tries=call.tries + 1
        )
        text = (
            f"{done.request.node_type}: {first_line(str(error))}; asking again for the same "
            f"{done.request.count} ({call.tries + 1} of {TRIES})"
        )
        self._journal.say(now, Level.WARNING, text, decision_id=done.decision_id)
