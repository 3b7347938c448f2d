"""What Ray is told: who scales it, and what goes on."""

from __future__ import annotations

from collections.abc import Iterable

from raytui.autoscaler.loop.observing import Observer
from raytui.autoscaler.planning.avoided import refuses
from raytui.model.lifecycle import STARTING
from raytui.model.plan import Memory, Plan, Wait
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.ray.base import AutoscalerReport, RayCluster, RayError

_TAKE_OVER_EVERY_S = 10.0


class Telling:
    """Belongs to the thread that ticks."""

    def __init__(self, ray: RayCluster) -> None:
        self._ray = ray
        self.session = ""
        """The session whose head knows that we scale it; empty makes us tell it (again)."""
        self._not_before = float("-inf")
        self._refusal = ""

    def take_over(self, session: str, spec: ClusterSpec, steady: float) -> str:
        """Tell a head that is new to us who scales it, and try again later when it refuses.

        Returns why it refuses; empty when it does not.
        """
        if session == self.session:
            self._refusal = ""
            return ""
        if steady < self._not_before:
            return self._refusal
        try:
            self._ray.take_over(spec)
            self.session, self._refusal = session, ""
        except RayError as error:
            self._refusal = str(error)
            self._not_before = steady + _TAKE_OVER_EVERY_S
        return self._refusal

    def report(
        self, observer: Observer, decided: Plan, fleet: Iterable[Instance], memory: Memory
    ) -> None:
        """Let Ray's own status and libraries know; a Ray that is away hears it next time."""
        if not observer.gcs.ok or not observer.view or not self.session:
            return
        report = AutoscalerReport(
            seen_version=observer.view.version,
            starting=tuple(i for i in fleet if i.status in STARTING),
            failures=tuple(f for f in memory.failures if refuses(f)),
            infeasible=tuple(o for o in decided.outcomes if o.wait is Wait.INFEASIBLE),
        )
        try:
            self._ray.report(report)
        except RayError as error:
            observer.ray_failed(error)
