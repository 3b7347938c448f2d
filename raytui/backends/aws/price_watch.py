"""The prices of one cluster's instance types, kept current beside everything else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from raytui.backends.aws import catalog
from raytui.backends.aws.prices import (
    SPOT_LASTS_S,
    PriceList,
    current_prices,
    known_prices,
    pricing_session,
)
from raytui.backends.aws.resources import instance_types_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ProviderError
from raytui.model.spec import ClusterSpec, Market

_log = logging.getLogger(__name__)


class PriceWatch:
    """Knows at once what is on disk and in the catalog; AWS is asked in threads of its own.

    Thread-safe. Who reads a price never waits for AWS.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        session: AwsSession,
        cache: Path,
        clock: Callable[[], float] = time.time,
        *,
        every_s: float = SPOT_LASTS_S + 1,
    ) -> None:
        """`cache` is the directory in which prices outlive this process."""
        self._session = session
        self._pricing = pricing_session(spec.provider.options)
        self._cache = cache
        self._clock = clock
        self._every_s = every_s
        self._asking = threading.Lock()
        self._due = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._types: frozenset[str] = frozenset()
        self._on_spot: frozenset[str] = frozenset()
        self.newest = PriceList("")
        """Replaced as a whole when AWS has told more."""
        self.reload(spec)

    def reload(self, spec: ClusterSpec) -> None:
        """Go on with the instance types of a changed cluster file."""
        kinds = spec.node_types.values()
        types = frozenset(name for kind in kinds for name in instance_types_of(kind))
        on_spot = frozenset(
            name
            for kind in kinds
            if any(one.market is Market.SPOT for one in kind.offerings)
            for name in instance_types_of(kind)
        )
        if (types, on_spot) == (self._types, self._on_spot):
            return
        self._types, self._on_spot = types, on_spot
        self.newest = self._without_asking()
        self._due.set()

    def usd(self, instance_type: str, zone: str, market: Market) -> float | None:
        """USD per hour as far as it is known now."""
        return self.newest.usd(instance_type, zone, market)

    def look_up(self, within_s: float) -> None:
        """Ask AWS once where something is unknown, and wait for the answer, but not longer."""
        if self._knows_all():
            return
        asking = threading.Thread(target=self._ask, name="first prices", daemon=True)
        asking.start()
        asking.join(within_s)

    def start(self) -> None:
        """Ask from now on whenever spot prices have grown old."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="prices", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._closing.set()
        self._due.set()

    def _watch(self) -> None:
        while not self._closing.is_set():
            self._due.clear()
            self._ask()
            self._due.wait(self._every_s)

    def _ask(self) -> None:
        with self._asking:
            before = self.newest
            types = self._types
            try:
                told = current_prices(
                    self._session,
                    self._pricing,
                    types,
                    catalog.load(),
                    self._clock(),
                    self._cache,
                    on_spot=self._on_spot,
                )
            except Exception:  # Whoever asks next may fare better; without prices all goes on.
                _log.exception("looking prices up failed")
                return
            if types == self._types:
                self.newest = told
            if told.unknown and told.unknown != before.unknown:
                _log.warning("prices: %s", told.unknown)

    def _knows_all(self) -> bool:
        known = self.newest
        return self._types <= known.on_demand.keys() and self._on_spot <= known.spot.keys()

    def _without_asking(self) -> PriceList:
        try:
            region = self._session.region
        except ProviderError as error:
            return PriceList("", unknown=str(error))
        return known_prices(region, self._types, catalog.load(), self._clock(), self._cache)
