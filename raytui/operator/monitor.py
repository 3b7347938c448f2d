"""What the operator tells monitoring: its clusters' metrics under one roof, and its own health."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

import msgspec

from raytui.autoscaler.metrics.monitor import Monitor
from raytui.autoscaler.metrics.series import Kind, Series, counters, gauge
from raytui.operator.pod_view import Cluster

_STILL_S = 60.0
"""An event loop that has done nothing for so long is stuck."""


class OperatorMonitor:
    """Asked by the threads of the metrics endpoint."""

    def __init__(
        self, calls: Callable[[], dict[str, int]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`calls` tells how many requests were sent to the API server, by `GET pods`."""
        self._calls = calls
        self._clock = clock
        self._beat_at = clock()
        self._lock = threading.Lock()
        self._monitors: dict[Cluster, Monitor] = {}
        self._failure = ""
        self._leads = False

    def leads(self) -> None:
        """Note that this operator acts, and does not stand by; `beat` is due from now on."""
        self.beat()
        self._leads = True

    def beat(self) -> None:
        """Note that the event loop in which clusters are driven runs."""
        self._beat_at = self._clock()

    def failed(self, why: str) -> None:
        """Note that it cannot go on."""
        self._failure = why

    def watch(self, cluster: Cluster, monitor: Monitor) -> None:
        """Tell of a cluster from now on."""
        with self._lock:
            self._monitors[cluster] = monitor

    def leave(self, cluster: Cluster) -> None:
        """Tell of a cluster no more."""
        with self._lock:
            self._monitors.pop(cluster, None)

    def series(self) -> list[Series]:
        """All metrics; those of clusters have the label `namespace`, too."""
        with self._lock:
            monitors = dict(self._monitors)
        leads = gauge("raytui_operator_leads", "1 when it acts, 0 when it stands by.", self._leads)
        sent = {tuple(name.split(" ", 1)): float(count) for name, count in self._calls().items()}
        calls = counters(
            "raytui_operator_requests",
            "Requests to the Kubernetes API server.",
            ("verb", "resource"),
            sent,
        )
        return [leads, calls, *_merged(monitors)]

    def health(self) -> tuple[bool, bytes]:
        """Whether it acts or stands by as it should, and one line of JSON that says more."""
        with self._lock:
            ages = [monitor.tick_age_s() for monitor in self._monitors.values()]
        still_s = self._clock() - self._beat_at if self._leads else 0.0
        failure = self._failure
        if not failure and still_s > _STILL_S:
            failure = f"the event loop has stood still for {still_s:.0f} s"
        said = {
            "ok": not failure,
            "leads": self._leads,
            "clusters": len(ages),
            "oldest_tick_age_s": round(max(ages, default=0.0), 3),
            "loop_age_s": round(still_s, 3),
            "failure": failure,
        }
        return not failure, msgspec.json.encode(said) + b"\n"


def _merged(monitors: Mapping[Cluster, Monitor]) -> Iterable[Series]:
    """Each metric once, with the values of all clusters."""
    found: dict[str, Series] = {}
    for (namespace, _), monitor in monitors.items():
        for one in monitor.series():
            labelled = one.labelled("namespace", namespace)
            before = found.get(one.name)
            values = {**(before.values if before else {}), **labelled.values}
            found[one.name] = Series(Kind(one.kind), one.name, one.help, labelled.labels, values)
    return found.values()
