"""How long instances have been where they are, by a clock that does not jump."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from raytui.model.state import Instance


class Waits:
    """Seconds since something happened to an instance.

    The wall clock is asked once for each wait, when it is first heard of (so that a restart of
    the daemon does not start all waits anew); from then on steady time alone counts. A machine
    that slept, or whose clock was set, ends no wait early.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._began: dict[tuple[str, str], tuple[float, float]] = {}

    def since(self, instance_id: str, what: str, at: float, now: float) -> float:
        """Seconds since `what` happened to an instance, at `at`; both are unix seconds."""
        key = (instance_id, what)
        known = self._began.get(key)
        if known is None or known[0] != at:
            known = self._began[key] = (at, self._steady() - max(0.0, now - at))
        return self._steady() - known[1]

    def in_status(self, instance: Instance, now: float) -> float:
        """Seconds that an instance has its status."""
        return self.since(instance.instance_id, instance.status, instance.status_since, now)

    def still(self, instance_id: str, what: str) -> float:
        """Seconds since `what` was first seen to be so, without `over` in between."""
        key = (instance_id, what)
        _, began = self._began.setdefault(key, (0.0, self._steady()))
        return self._steady() - began

    def over(self, instance_id: str, what: str) -> None:
        """It is not so, or not any more."""
        self._began.pop((instance_id, what), None)

    def keep(self, instance_ids: Iterable[str]) -> None:
        """Forget all other instances."""
        kept = set(instance_ids)
        self._began = {key: began for key, began in self._began.items() if key[0] in kept}
