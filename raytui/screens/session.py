"""What every screen looks at: the newest snapshot, the connection, and the time on the head."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from raytui.client.base import ClusterClient, Link, LinkState
from raytui.config.settings import Settings
from raytui.config.views import RememberedViews
from raytui.model.snapshot import Snapshot
from raytui.screens.pace import Pace
from raytui.screens.safety import Safety

Clock = Callable[[], float]


class Session:
    """One attached cluster. Written by the app alone, read by all screens.

    `clock` counts seconds monotonically. Times in a snapshot are on the daemon's clock, which may
    differ from ours: only the seconds that passed since it came are taken from here.
    """

    def __init__(
        self,
        client: ClusterClient,
        clock: Clock = time.monotonic,
        messages: Sequence[str] = (),
        *,
        is_of_a_list: bool = False,
        settings: Settings | None = None,
    ) -> None:
        self.client = client
        self.settings = settings or Settings()
        self.own = own = self.settings.of_cluster(client.name)
        """The settings as they hold for this cluster."""
        self.safety = Safety.of(own)
        self.read_only_holds = client.read_only
        """Whoever opened it read-only meant it to stay so."""
        self.is_of_a_list = is_of_a_list
        """Whether it was opened from a list of clusters, which is behind its pages."""
        self.snapshot: Snapshot | None = None
        self.link = LinkState(Link.CONNECTING)
        self.messages = messages
        """Toasts of this session with their clock, newest first."""
        self.clock = clock
        self.pace = Pace(self.settings.refresh_s)
        self.views = RememberedViews() if self.settings.views.remember else None
        """How lists were left; None: nobody wants to know."""
        self.log_node = ""
        """Ray's id of the node whose log files are shown; empty: the head's."""
        self._received = clock()

    def take(self, update: Snapshot | LinkState) -> None:
        """Keep what the client reported."""
        if isinstance(update, LinkState):
            self.link = update
            return
        self.snapshot = update
        self._received = self.clock()
        if self.link.link is not Link.LIVE:
            # A snapshot is proof of a connection.
            self.link = LinkState(Link.LIVE)

    def now(self) -> float:
        """Unix seconds on the daemon's clock, ticking on between snapshots."""
        if self.snapshot is None:
            return time.time()
        return self.snapshot.taken_at + self.silence()

    def silence(self) -> float:
        """Seconds since the newest snapshot came."""
        return self.clock() - self._received

    @property
    def stale(self) -> bool:
        """True when what is shown may no longer be so."""
        return self.link.link in (Link.LOST, Link.CLOSED)
