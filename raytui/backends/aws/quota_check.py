"""Compares a cluster with its account's quotas: when its daemon starts, when its file changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from raytui.backends.aws.quotas import quota_lines
from raytui.backends.aws.session import AwsSession
from raytui.model.spec import ClusterSpec, Offering

_log = logging.getLogger(__name__)

_ATTEMPTS = 2
"""Quotas are no reason to try for minutes: many networks let nobody reach that service."""


class QuotaCheck:
    """Thread-safe; AWS is asked in a thread of its own, and who waits for it waits a little."""

    def __init__(
        self, spec: ClusterSpec, cache: Path, clock: Callable[[], float] = time.time
    ) -> None:
        """`cache` is the directory in which quotas outlive this process."""
        self._session = AwsSession(spec.provider.options, attempts=_ATTEMPTS)
        self._cache = cache
        self._clock = clock
        self._compared: object = None
        self._lines: list[str] = []

    def compare(
        self, spec: ClusterSpec, ways: Mapping[str, Sequence[Offering]], within_s: float
    ) -> None:
        """Ask when this is not what was compared before, and wait for the answer, but not longer.

        `ways` has all ways to buy each node type; their prices do not count.
        """
        bought = {
            name: tuple((way.instance_type, way.market) for way in offered)
            for name, offered in ways.items()
        }
        limits = [(k.name, k.min_workers, k.max_workers) for k in spec.node_types.values()]
        wanted = (bought, limits, spec.max_workers)
        if wanted == self._compared:
            return
        self._compared = wanted
        asking = threading.Thread(
            target=self._ask, args=(spec, ways, wanted), name="quotas", daemon=True
        )
        asking.start()
        asking.join(within_s)

    def notices(self) -> list[str]:
        """What does not fit, or why that is unknown; nothing while AWS has not answered."""
        return list(self._lines)

    def _ask(
        self, spec: ClusterSpec, ways: Mapping[str, Sequence[Offering]], wanted: object
    ) -> None:
        lines = quota_lines(spec, ways, self._session, self._clock(), self._cache)
        if wanted == self._compared:
            self._lines = lines
        for line in lines:
            _log.warning("quotas: %s", line)
