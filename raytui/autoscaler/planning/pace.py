"""How fast nodes may leave: removal budgets and quiet hours."""

from __future__ import annotations

from collections.abc import Iterable

from raytui.model.leaving import RemovalRules, Share
from raytui.model.plan import DrainUnderWay
from raytui.model.reason import Reason, Why, because

_OVER_LIMIT = frozenset({Why.OVER_MAX_TYPE, Why.OVER_MAX_GLOBAL, Why.TYPE_GONE})


class Pace:
    """What the rules of removal leave room for in one plan."""

    def __init__(
        self, rules: RemovalRules, leaving: Iterable[DrainUnderWay], workers: int, now: float
    ) -> None:
        """`leaving` are the nodes on their way out, `workers` all workers, these included."""
        self._rules = rules
        self._workers = workers
        self._leaving = [drain.reason.why for drain in leaving]
        self._quiet_until = rules.quiet_until(now)

    def hindrance(self, why: Why) -> Reason | None:
        """Why no node may leave now for the given reason; None when one more may."""
        if self._quiet_until:
            return because(Why.QUIET_HOURS, until=self._quiet_until)
        everyone = self._exhausted(self._rules.max_draining, len(self._leaving))
        if everyone is not None:
            return everyone
        group = _OVER_LIMIT if why in _OVER_LIMIT else {why}
        return self._exhausted(self._limit_of(why), sum(one in group for one in self._leaving))

    def note(self, why: Why) -> None:
        """Count a node that leaves by this plan."""
        self._leaving.append(why)

    def _limit_of(self, why: Why) -> Share | None:
        if why in _OVER_LIMIT:
            return self._rules.max_draining_over_limit
        return self._rules.max_draining_idle

    def _exhausted(self, limit: Share | None, leaving: int) -> Reason | None:
        if limit is None:
            return None
        most = limit.of(self._workers)
        return because(Why.REMOVAL_BUDGET, leaving=leaving, max=most) if leaving >= most else None
