"""What is seen is weighed before it is believed: a sudden void is rather a fault than the truth.

A listing that has lost most of what Ray sees alive, a GCS that has lost most of what the provider
lists (it was restarted), a wall clock that jumped: each makes its source one that cannot be read,
until the others agree or it has said the same for a while.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from msgspec import Struct
from msgspec.structs import replace

from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.observing import Observer
from raytui.model.lifecycle import InstanceStatus
from raytui.model.state import Instance, Node, SourceHealth
from raytui.model.text import duration_text

CONFIRM_S = 30.0
"""What is said for this long is believed, whatever the other source says."""
SETTLE_S = 5.0
"""Nothing is removed this long after a clock jumped or GCS was restarted."""
_FORWARD_S = 60.0
_BACKWARD_S = 2.0
_FEW = 4
"""Of fewer than this, any number may vanish at once, except all."""


class Believed(Struct, frozen=True):
    """One observation, as far as it is believed."""

    nodes: Mapping[str, Node] | None
    """Ray's nodes by instance id; None is unknown."""
    listing: Mapping[str, Instance] | None
    """The provider's instances by id; None is unknown."""
    listing_age_s: float
    sources: tuple[SourceHealth, ...]
    jump_s: float = 0.0
    """By how much the wall clock was moved since the observation before."""


class Believing:
    """Weighs each observation against the one before. Belongs to the thread that ticks."""

    def __init__(self) -> None:
        self._clocks: tuple[float, float] | None = None
        self._jumped_at = float("-inf")
        self._jump = ""
        self._session = ""
        self._version = 0
        self._restarted_at = float("-inf")
        self._restart = ""
        self._seen: frozenset[str] | None = None
        """Instances that Ray saw when it was last believed; None: all of ours, as it should be."""
        self._listed: frozenset[str] | None = None
        self._void_since: dict[str, float] = {}

    def weigh(self, observer: Observer, fleet: Fleet, now: float, steady: float) -> Believed:
        """Judge what the observer has just seen. `now` is unix seconds, `steady` never jumps."""
        jump_s = self._look_at_clock(now, steady)
        gcs, provider = observer.gcs, observer.provider
        nodes = observer.nodes if gcs.ok else None
        listing = observer.listed if provider.ok else None
        running = frozenset(i.instance_id for i in fleet if i.status is InstanceStatus.RUNNING)
        if nodes is not None:
            leaving = (i.instance_id for i in fleet if i.status is InstanceStatus.DRAINING)
            doubt = self._doubt_ray(
                observer, nodes, listing, running, running.union(leaving), steady
            )
            gcs = replace(gcs, doubt=doubt)
        if listing is not None:
            doubt = self._doubt_listing(nodes if not gcs.doubt else None, listing, running, steady)
            provider = replace(provider, doubt=doubt)
        sources = [replace(s, ok=s.ok and not s.doubt) for s in (gcs, provider)]
        if steady - self._jumped_at < SETTLE_S:
            sources.append(SourceHealth("clock", False, now, doubt=self._jump))
        return Believed(
            nodes if not gcs.doubt else None,
            listing if not provider.doubt else None,
            observer.listing_age_s,
            tuple(sources),
            jump_s,
        )

    def _look_at_clock(self, now: float, steady: float) -> float:
        before, self._clocks = self._clocks, (now, steady)
        if before is None:
            return 0.0
        jump = (now - before[0]) - (steady - before[1])
        if -_BACKWARD_S <= jump <= _FORWARD_S:
            return 0.0
        self._jumped_at = steady
        way = "forward" if jump > 0 else "back"
        self._jump = f"it jumped {duration_text(abs(jump))} {way}"
        return jump

    def _doubt_ray(
        self,
        observer: Observer,
        nodes: Mapping[str, Node],
        listing: Mapping[str, Instance] | None,
        running: Set[str],
        ours: Set[str],
        steady: float,
    ) -> str:
        view = observer.view
        if view is None:
            return ""
        if self._session and view.session != self._session:
            self._seen, self._restarted_at = frozenset(), float("-inf")
        elif view.version < self._version:
            self._restarted_at = steady
            self._restart = f"its state went back from version {self._version} to {view.version}"
        self._session, self._version = view.session, view.version
        alive = _alive(listing) if listing is not None else ours
        seen = ours if self._seen is None else self._seen
        settling = steady - self._restarted_at
        # A node that leaves goes in its own time, but not because GCS has forgotten it.
        waits_for_nodes = settling < CONFIRM_S and bool((seen & ours & alive) - nodes.keys())
        if settling < SETTLE_S or waits_for_nodes:
            return f"{self._restart}; GCS was restarted"
        expected = seen & running & alive
        there = expected & nodes.keys()
        if self._is_void("gcs", expected, there, steady):
            return f"it has {len(there)} of {len(expected)} nodes whose machines are alive"
        self._seen = frozenset(nodes)
        return ""

    def _doubt_listing(
        self,
        nodes: Mapping[str, Node] | None,
        listing: Mapping[str, Instance],
        running: Set[str],
        steady: float,
    ) -> str:
        expected = running if self._listed is None else self._listed & running
        if nodes is not None:
            expected &= nodes.keys()
        there = expected & listing.keys()
        if self._is_void("provider", expected, there, steady):
            return f"it lists {len(there)} of {len(expected)} instances that run"
        self._listed = frozenset(listing)
        return ""

    def _is_void(self, source: str, expected: Set[str], there: Set[str], steady: float) -> bool:
        """Whether so many are gone at once that the source is doubted, for a while."""
        gone = len(expected) - len(there)
        if not gone or (there and (len(expected) < _FEW or 2 * gone <= len(expected))):
            self._void_since.pop(source, None)
            return False
        since = self._void_since.setdefault(source, steady)
        return steady - since < CONFIRM_S


def _alive(listing: Mapping[str, Instance]) -> Set[str]:
    return {name for name, i in listing.items() if i.status is not InstanceStatus.LOST}
