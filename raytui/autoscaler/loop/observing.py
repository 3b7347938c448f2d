"""Look at the world: what Ray says, what the provider says, and how old each word is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as NotYet

from raytui.autoscaler.loop.pacing import Pace
from raytui.autoscaler.planning.taken_back import gravest
from raytui.backends.abilities import listing_age_s, look_again
from raytui.backends.base import NodeProvider, ProviderError
from raytui.model.state import Instance, Node, NodeStatus, Notice, SourceHealth
from raytui.ray.base import RayCluster, RayError, RayView

_LISTING_WAIT_S = 0.5
"""A tick waits this long for a listing; a slower one is used by the tick that finds it done."""
_LISTING_STALE_S = 30.0
_QUIET_S = 0.25
"""A burst of demand counts as over after this long without a change (Karpenter waits 1 s)."""
_LONGEST_BURST_S = 0.8
_CAPPED = (
    "it tells of 100 shapes of waiting work, the most that a node tells: there may be more; "
    "set RAY_max_resource_shapes_per_load_report=-1 for `ray start` on every node"
)


class Observer:
    """The two sources of facts. Belongs to the thread that ticks."""

    def __init__(
        self,
        provider: NodeProvider,
        ray: RayCluster,
        pool: Executor,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        """`clock` tells unix seconds, `steady` seconds that no one can set."""
        self._provider = provider
        self._ray = ray
        self._pool = pool
        self._clock = clock
        self._steady = steady
        self.view: RayView | None = None
        """Ray's newest word; stays after Ray stopped answering."""
        self.listing: list[Instance] | None = None
        """The provider's newest word."""
        self.nodes: Mapping[str, Node] = {}
        """Ray's nodes by instance id; those that joined by hand have none."""
        self.notices: Mapping[str, Notice] = {}
        """The gravest word on each instance that will or may be taken back, by instance id."""
        self.listed: Mapping[str, Instance] = {}
        """The provider's instances by id."""
        self.gcs = SourceHealth("gcs", ok=False)
        self.provider = SourceHealth("provider", ok=False)
        self._future: Future[list[Instance]] | None = None
        self._digest = _Digest()
        self._planned_for: object = None
        self._last_digest: object = None
        self._changed_at: float | None = None
        self._last_change = 0.0
        self.pace = Pace()
        self._listed_at = float("-inf")
        self._asked_at = float("-inf")
        self._listing_asked_at = float("-inf")

    def due(self, watched: bool) -> bool:
        """Whether a tick is due: demand or nodes changed and the burst is over, or it is time."""
        now = self._steady()
        if self.pace.must_tick(now, watched):
            return True
        if self.pace.may_look(now):
            self._look_for_change(now)
        if self._changed_at is None:
            return False
        quiet = now - self._last_change >= _QUIET_S
        return quiet or now - self._changed_at >= _LONGEST_BURST_S

    def _look_for_change(self, now: float) -> None:
        self._ask_ray()
        digest = self._digest.of(self.view)
        if digest == self._planned_for:
            self._changed_at = None
            return
        if self._changed_at is None:
            self._changed_at = now
        if digest != self._last_digest:
            self._last_digest = digest
            self._last_change = now

    @property
    def listing_age_s(self) -> float:
        """Seconds since the listing was asked for: so old it may be, however new its answer is."""
        return self._steady() - self._listing_asked_at

    def observe(self) -> None:
        """Ask both sources; failures are kept as health, never raised."""
        self._ask_ray()
        self._planned_for = self._last_digest = self._digest.of(self.view)
        self._changed_at = None
        before, self.nodes = (
            self.nodes,
            {n.instance_id: n for n in self.view.nodes if n.instance_id} if self.view else {},
        )
        if before.keys() - self.nodes.keys():
            look_again(self._provider)  # which may know why Ray lost a node
        self._ask_provider()
        self.notices = gravest(self.view.notices) if self.view else {}
        self.listed = {i.instance_id: i for i in self.listing or ()}

    def _ask_ray(self) -> None:
        """Refresh `view`."""
        now, began = self._clock(), self._steady()
        try:
            self.view = self._ray.observe()
            warning = _CAPPED if self.view.capped else ""
            self.gcs = SourceHealth("gcs", ok=True, last_ok_at=now, warning=warning)
        except RayError as error:
            self.ray_failed(error)
        self.pace.looked(began, self._steady())

    def ray_failed(self, error: RayError) -> None:
        """Ray did not take what it was told: it cannot be asked either, until it answers again."""
        self.gcs = SourceHealth("gcs", False, self.gcs.last_ok_at, str(error))

    def _ask_provider(self) -> None:
        if self._future is None:
            # Before it is asked: were it to ask its machines just then, they are known no worse.
            self._asked_at = self._steady() - listing_age_s(self._provider)
            self._future = self._pool.submit(self._provider.list_instances)
        try:
            self.listing = self._future.result(timeout=_LISTING_WAIT_S)
            self._future = None
            self._listed_at = self._steady()
            self._listing_asked_at = self._asked_at
            self.provider = SourceHealth("provider", ok=True, last_ok_at=self._clock())
        except NotYet:
            if self._steady() - self._listed_at > _LISTING_STALE_S:
                error = "the provider has not answered"
                self.provider = SourceHealth("provider", False, self.provider.last_ok_at, error)
        except (ProviderError, OSError) as error:
            self._future = None
            self.provider = SourceHealth("provider", False, self.provider.last_ok_at, str(error))


class _Digest:
    """What a plan depends on, without the numbers that move all the time."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._digest: object = None

    def of(self, view: RayView | None) -> object:
        """Equal for views that call for the same plan."""
        if view is None:
            return None
        # Nodes that have not changed are the same objects, so this costs next to nothing.
        rest = (view.demands, view.gangs, view.constraints, view.notices)
        seen = (view.session, view.nodes, *rest)
        if seen != self._of:
            nodes = frozenset(
                (node.node_id, node.status is NodeStatus.DRAINING, node.idle_since > 0)
                for node in view.nodes
            )
            self._of = seen
            self._digest = (view.session, nodes, *rest)
        return self._digest
