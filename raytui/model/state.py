"""What is: instances as the provider knows them joined with nodes as Ray knows them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from raytui.model.failure import Obstacle
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import EMPTY, Resources
from raytui.model.spec import Market

LabelSelector = tuple[tuple[str, str, tuple[str, ...]], ...]
"""Conjunction of (key, operator "in" or "not-in", values): all that Ray 2.60's protobuf has."""


class Share(Struct, frozen=True, array_like=True):
    """Part of a node that is meant for one kind of request."""

    resources: Resources
    """Shape of one task, actor or bundle; of a STRICT_PACK group the sum of its bundles."""
    count: int
    gang: str = ""
    """Which placement group it is for; empty for tasks and actors."""
    selectors: tuple[LabelSelector, ...] = ()
    """Label selectors of the tasks or actors: what tells them from others of the same shape."""


Holding = tuple[Share, ...]
"""What a node is meant to hold."""


class NodeStatus(StrEnum):
    """A node's status as GCS reports it."""

    RUNNING = "running"
    IDLE = "idle"
    DRAINING = "draining"
    DEAD = "dead"


class Instance(Struct, frozen=True, omit_defaults=True):
    """A machine (or process group, or pod) as the provider and our ledger know it."""

    instance_id: str
    node_type: str
    status: InstanceStatus
    request_id: str = ""
    is_head: bool = False
    zone: str = ""
    instance_type: str = ""
    market: Market = Market.ON_DEMAND
    ip: str = ""
    launched_at: float = 0.0
    """Unix seconds of the launch call."""
    status_since: float = 0.0
    price_per_hour: float | None = None
    detail: str = ""
    """The newest word about it: a set-up step, an error, the tail of a log."""
    obstacle: Obstacle | None = None
    """What keeps it from becoming a Ray node, or has ended it, where the provider knows that."""
    log_path: str = ""
    ray_started_at: float = 0.0
    """Unix seconds when its set-up was done and Ray was started on it; 0 before that, or when the
    provider does not tell."""
    quarantined: str = ""
    """Why it is left alone: the error that handling it met. Empty for all others."""
    orphan: bool = False
    """Carries our tags but no ledger row."""
    meant_for: Holding = ()
    """What the plan that launched it meant it to hold, so that the next plan does not forget."""


class Node(Struct, frozen=True, omit_defaults=True):
    """A Ray node as GCS reports it."""

    node_id: str
    """Hex id."""
    instance_id: str
    node_type: str
    status: NodeStatus
    total: Resources = EMPTY
    available: Resources = EMPTY
    labels: dict[str, str] = {}
    ip: str = ""
    idle_since: float = 0.0
    """Unix seconds since when it is idle; 0 when it is not."""
    activity: tuple[str, ...] = ()
    """Ray's own words for what keeps it busy."""
    is_head: bool = False

    @property
    def used(self) -> Resources:
        """What Ray has given out: total minus available."""
        return self.total - self.available


class NoticeKind(StrEnum):
    """How certain it is that a machine will be taken back."""

    REBALANCE = "rebalance"
    """It is at a higher risk than others: Amazon's rebalance recommendation."""
    DRAINED = "drained"
    """Its node drains, so that it will not come back to work, whoever told Ray to."""
    INTERRUPTION = "interruption"
    """It will be, at a time that is known."""


class Notice(Struct, frozen=True, omit_defaults=True):
    """Word from who owns a machine that it will be taken back, or may be."""

    instance_id: str
    kind: NoticeKind
    by: str = ""
    """Who takes it back: `AWS`; empty when nobody says."""
    at: float = 0.0
    """Unix seconds when it was given."""
    deadline: float = 0.0
    """Unix seconds when the machine goes; 0 when that is not known."""


class Demand(Struct, frozen=True, omit_defaults=True):
    """A shape of pending tasks or actors and how many of it wait."""

    resources: Resources
    count: int
    selectors: tuple[LabelSelector, ...] = ()
    """Label selectors in the order to try them; the later ones are fallbacks. Empty: anywhere."""


class Bundle(Struct, frozen=True, omit_defaults=True):
    """One bundle of a placement group."""

    resources: Resources
    selector: LabelSelector = ()


class Strategy(StrEnum):
    """Ray's placement group strategies."""

    PACK = "PACK"
    SPREAD = "SPREAD"
    STRICT_PACK = "STRICT_PACK"
    STRICT_SPREAD = "STRICT_SPREAD"


class Gang(Struct, frozen=True, omit_defaults=True):
    """A placement group that waits: all the bundles that Ray has not placed, or none."""

    gang_id: str
    """Placement group id, hex; empty if Ray did not tell."""
    strategy: Strategy
    bundles: tuple[Bundle, ...]
    placed_on: tuple[str, ...] = ()
    """Hex ids of Ray nodes that hold its other bundles, when some were lost with their nodes."""
    fallbacks: tuple[tuple[Bundle, ...], ...] = ()
    """Other bundles that it would take instead, in the order to try them, each a whole group."""

    @property
    def ways(self) -> tuple[tuple[Bundle, ...], ...]:
        """All ways to place it, the preferred one first."""
        return (self.bundles, *self.fallbacks)


class Constraint(Struct, frozen=True):
    """What `request_resources` asked for: (bundle, count) pairs that must exist in total."""

    bundles: tuple[tuple[Bundle, int], ...]


class SourceHealth(Struct, frozen=True, omit_defaults=True):
    """Whether a source of facts could be read, and can be believed."""

    name: str
    """`gcs`, `provider` or `daemon`; `clock` when this machine's clock has just jumped."""
    ok: bool
    last_ok_at: float = 0.0
    error: str = ""
    doubt: str = ""
    """Why its newest word is not believed yet, though it could be read; `ok` is False then."""
    warning: str = ""
    """What its word may hide, and the setting that helps; `ok` may be True."""


class Member(Struct, frozen=True, omit_defaults=True):
    """One row of the cluster: an instance, its Ray node, or (in between) only one of the two."""

    instance: Instance | None = None
    node: Node | None = None
    notice: Notice | None = None
    """The gravest word that its machine will be taken back."""

    @property
    def id(self) -> str:
        """The id people use: the instance's, or the Ray node's if nobody launched it."""
        if self.instance is not None:
            return self.instance.instance_id
        return self.node.instance_id or self.node.node_id if self.node is not None else ""

    @property
    def node_type(self) -> str:
        """Name of its node type; empty for a node that joined by hand."""
        if self.instance is not None:
            return self.instance.node_type
        return self.node.node_type if self.node is not None else ""

    @property
    def is_head(self) -> bool:
        """True for the head node."""
        return bool(
            (self.instance is not None and self.instance.is_head)
            or (self.node is not None and self.node.is_head)
        )

    @property
    def status(self) -> InstanceStatus:
        """Lifecycle status; a Ray node without an instance of ours counts as running."""
        if self.instance is not None:
            return self.instance.status
        if self.node is not None and self.node.status is NodeStatus.DRAINING:
            return InstanceStatus.DRAINING
        return InstanceStatus.RUNNING

    @property
    def idle(self) -> bool:
        """True when it runs and Ray says nothing is on it."""
        return (
            self.status is InstanceStatus.RUNNING
            and self.node is not None
            and self.node.idle_since > 0
        )


class ClusterState(Struct, frozen=True):
    """Everything observed at one moment."""

    observed_at: float
    members: tuple[Member, ...] = ()
    demands: tuple[Demand, ...] = ()
    gangs: tuple[Gang, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    sources: tuple[SourceHealth, ...] = ()
    version: int = 0
    """GCS's cluster_resource_state_version."""
    watch_only: str = ""
    """Why nothing may be done, and what to do about it; empty while the autoscaler acts."""

    @property
    def complete(self) -> bool:
        """True when every source could be read: only then may anything be removed."""
        return all(source.ok for source in self.sources)
