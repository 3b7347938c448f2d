"""How long instances have been where they are, by a clock that does not jump."""

from __future__ import annotations

from collections.abc import Callable, Container

from raytui.model.state import Instance


class Waits:
    """Seconds since something happened to an instance.

    The wall clock is asked once for each wait, when it is first heard of (so that a restart of
    the daemon does not start all waits anew); from then on steady time alone counts. A machine
    that slept, or whose clock was set, ends no wait early.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._began: dict[str, dict[str, tuple[float, float]]] = {}
        """By instance and by what happened: when, in unix seconds, and in steady ones."""

    def since(self, instance_id: str, what: str, at: float, now: float) -> float:
        """Seconds since `what` happened to an instance, at `at`; both are unix seconds."""
        began = self._began.setdefault(instance_id, {})
        known = began.get(what)
        if known is None or known[0] != at:
            known = began[what] = (at, self._steady() - max(0.0, now - at))
        return self._steady() - known[1]

    def in_status(self, instance: Instance, now: float) -> float:
        """Seconds that an instance has its status."""
        return self.since(instance.instance_id, instance.status, instance.status_since, now)

    def still(self, instance_id: str, what: str) -> float:
        """Seconds since `what` was first seen to be so, without `over` in between."""
        began = self._began.setdefault(instance_id, {})
        return self._steady() - began.setdefault(what, (0.0, self._steady()))[1]

    def over(self, instance_id: str, what: str) -> None:
        """It is not so, or not any more."""
        began = self._began.get(instance_id)
        if began is not None:
            began.pop(what, None)

    def keep(self, instance_ids: Container[str]) -> None:
        """Forget all other instances."""
        for gone in [name for name in self._began if name not in instance_ids]:
            del self._began[gone]
