"""What the daemon tells monitoring: the newest snapshot and what was counted, safe for threads."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from raytui.autoscaler.metrics.own_series import own_series
from raytui.autoscaler.metrics.ray_series import ray_series
from raytui.autoscaler.metrics.series import Series, gauge
from raytui.autoscaler.metrics.tally import Tally
from raytui.model.snapshot import Snapshot
from raytui.ray.base import RayError

STALE_S = 30.0
"""A daemon whose last round is older than this is not well."""


class Monitor:
    """Fed by the engine's thread, asked by those of the metrics endpoint."""

    def __init__(
        self,
        cluster: str,
        ledger: Path,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._tally = Tally()
        self._snapshot: Snapshot | None = None
        self._ticked_at = monotonic()
        self._session = ""
        """Ray's, as it was last taken over: while a reload is under way there is none."""
        self._announce: Callable[[], None] = lambda: None
        self._announced = ""

    def announce(self, tell: Callable[[str], None], address: str) -> None:
        """Have every Ray session that is taken over told where the metrics are.

        Ray lists that address for Prometheus. `tell` may raise RayError; it is called in the
        thread that calls `take`.
        """
        self._announce = lambda: tell(address)

    def take(self, snapshot: Snapshot) -> None:
        """Take in a snapshot. One that only repeats an older picture is no round."""
        with self._lock:
            last = self._snapshot
            if last is None or last.taken_at != snapshot.taken_at:
                self._tally.take(snapshot)
                self._ticked_at = self._monotonic()
            else:
                self._tally.failed_rounds += 1
            self._snapshot = snapshot
            self._session = snapshot.session or self._session
        if self._session != self._announced:
            # A GCS that is away hears it after the next round.
            with contextlib.suppress(RayError):
                self._announce()
                self._announced = self._session

    def reload_refused(self) -> None:
        """Count a cluster file that was not taken."""
        with self._lock:
            self._tally.bad_reloads += 1

    def series(self) -> list[Series]:
        """All metrics as they are now; none before the first round.

        Ray's are left out until a session of Ray's is ours: before, Ray's own autoscaler may serve
        series of the same names.
        """
        with self._lock:
            snapshot, now = self._snapshot, self._clock()
            if snapshot is None:
                return []
            found = list(own_series(snapshot, self._tally, now))
            if self._session:
                found += ray_series(snapshot, self._tally, self._session, now)
        size = gauge("raytui_ledger_bytes", "Size of the ledger on disk.", self._ledger_bytes())
        return [*found, size.labelled("cluster", self._cluster)]

    def tick_age_s(self) -> float:
        """Seconds since the last round; since the start when there was none."""
        return self._monotonic() - self._ticked_at

    def health(self) -> tuple[bool, bytes]:
        """Whether all is well, and one line of JSON that says more (docs/operating.md)."""
        with self._lock:
            snapshot, now, age_s = self._snapshot, self._clock(), self.tick_age_s()
        well = snapshot is not None and age_s <= STALE_S
        answer: dict[str, Any] = {
            "ok": well,
            "cluster": self._cluster,
            "last_tick_age_s": round(age_s, 3) if snapshot is not None else None,
        }
        if snapshot is not None:
            answer["paused_by"] = snapshot.paused_by
            answer["trouble"] = snapshot.trouble
            answer["sources"] = {
                source.name: {
                    "ok": source.ok,
                    "age_s": round(now - source.last_ok_at, 3) if source.last_ok_at else None,
                    "error": source.error or source.doubt,
                }
                for source in snapshot.sources
            }
        return well, msgspec.json.encode(answer) + b"\n"

    def _ledger_bytes(self) -> int:
        """The file and its write-ahead log."""
        total = 0
        for name in ("", "-wal", "-shm"):
            try:
                total += Path(f"{self._ledger}{name}").stat().st_size
            except OSError:
                continue
        return total
