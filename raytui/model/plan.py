"""What is to be done and why: the result of planning, and what planning must remember."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from raytui.model.failure import FailureKind as FailureKind
from raytui.model.reason import Reason
from raytui.model.resources import Resources
from raytui.model.spec import Market, Offering
from raytui.model.state import Holding, LabelSelector


class LaunchFailure(Struct, frozen=True, omit_defaults=True):
    """A failing offering that is avoided until `retry_at`."""

    node_type: str
    kind: FailureKind
    message: str
    """The provider's own words."""
    failed_at: float
    retry_at: float
    zone: str = ""
    instance_type: str = ""
    market: Market = Market.ON_DEMAND
    count: int = 1
    """How many times in a row."""
    quota: str = ""
    quota_share: float = 0.0
    reservation: str = ""
    """As of the Offering that failed."""
    on_the_way: bool = False
    """The machines were given and did not become Ray nodes: only one that does disproves it."""


class Hold(Struct, frozen=True, omit_defaults=True):
    """A person's wish that a node stays."""

    instance_id: str
    by: str
    until: float = 0.0
    """Unix seconds; 0 means until released."""


class DrainUnderWay(Struct, frozen=True):
    """A node that takes no new work; it is terminated when empty or at the deadline.

    It is remembered until the provider no longer lists the node.
    """

    instance_id: str
    since: float
    deadline: float
    reason: Reason


class WaitingEnd(Struct, frozen=True):
    """A person's order to terminate a node that has not begun and can be taken back."""

    instance_id: str
    since: float
    at: float
    """When it begins, unix seconds."""
    by: str
    drain_s: float | None = None


class Memory(Struct, frozen=True):
    """What planning needs of the past. Written by the reconciler, kept in the ledger."""

    failures: tuple[LaunchFailure, ...] = ()
    drains: tuple[DrainUnderWay, ...] = ()
    floors: dict[str, int] = {}
    """A person's floor per node type; it stands in place of min_workers."""
    ceilings: dict[str, int] = {}
    """A person's limit per node type; it stands in place of a higher max_workers."""
    holds: tuple[Hold, ...] = ()
    ends: tuple[WaitingEnd, ...] = ()
    """Orders to terminate that wait for a moment, in which they can be taken back."""
    refusals: dict[str, float] = {}
    """When (unix seconds) Ray refused to let an idle node go, because it had taken work."""
    orphans: dict[str, float] = {}
    """Since when (unix seconds) an instance is an orphan: ours by its tags, without a record."""
    paused_by: str = ""
    boot_s: dict[str, float] = {}
    """Seconds from launch call to a running Ray node, per node type, as seen before."""


class Launch(Struct, frozen=True, omit_defaults=True):
    """Nodes of one type to be launched for one reason."""

    node_type: str
    count: int
    reason: Reason
    offering: Offering = Offering()
    fills: tuple[tuple[int, Holding], ...] = ()
    """What the nodes are meant to hold: so many nodes, each holding that. Others hold nothing."""
    all_or_nothing: bool = False
    """All are for one placement group, which cannot start on fewer of them."""

    def holdings(self) -> list[Holding]:
        """What each of the `count` nodes is meant to hold."""
        filled = [holding for nodes, holding in self.fills for _ in range(nodes)]
        return (filled + [()] * self.count)[: self.count]


class Removal(Struct, frozen=True, omit_defaults=True):
    """A node to be drained and terminated. `deadline` 0 means only while it is idle."""

    instance_id: str
    node_type: str
    reason: Reason
    node_id: str = ""
    deadline: float = 0.0


class Wait(StrEnum):
    """What a request waits for."""

    RAY = "ray"
    """Room exists on running nodes; Ray is about to use it."""
    STARTING = "starting"
    """Room is being started."""
    LAUNCH = "launch"
    """This plan launches room for it."""
    BLOCKED = "blocked"
    """A limit, a failure or a pause stands in the way."""
    INFEASIBLE = "infeasible"
    """No node type can ever hold it."""


class Request(StrEnum):
    """Which kind of request an outcome is about."""

    DEMAND = "demand"
    GANG = "gang"
    CONSTRAINT = "constraint"
    FLOOR = "floor"
    """min_workers, or a person's floor, that cannot be kept now."""
    REPLACEMENT = "replacement"
    """What runs on a node that will be taken back; Ray asks for it only when the node is gone."""


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What became of a request, or of a part of it: `count` of `resources` and why."""

    kind: Request
    wait: Wait
    count: int
    reason: Reason
    resources: Resources
    """Shape of one unit; for a gang the sum of its bundles."""
    label: str = ""
    """How people name it: `{CPU: 1}`, `PG 4f2a STRICT_SPREAD 4 × {GPU: 1}`."""
    node_type: str = ""
    """Where it goes, when it goes to one type."""
    selectors: tuple[LabelSelector, ...] = ()
    """Label selectors of a demand, in the order to try them; of a gang or a constraint one with the
    conditions of all its bundles."""


class Kept(Struct, frozen=True):
    """Why a node is here, or why it leaves."""

    instance_id: str
    reason: Reason


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What one node type would have meant for the demand that led to launches."""

    node_type: str
    chosen: bool
    reason: Reason
    fits: int = 0
    """How many of the requests could run on this type."""
    nodes: int = 0
    """Nodes launched (chosen) or needed (not chosen)."""
    price_per_hour: float | None = None
    price_per_request: float | None = None
    waste: float = 0.0
    """Share of the nodes' dominant resource that would stay unused, 0 to 1."""


class Plan(Struct, frozen=True):
    """What to do now, with a reason for all that is done and for all that is not."""

    launches: tuple[Launch, ...] = ()
    removals: tuple[Removal, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    kept: tuple[Kept, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    cost_per_hour: float = 0.0
    """USD per hour of the launches; node types without a price count by an estimate."""
    lower_bound_per_hour: float | None = None
    """USD per hour that any launches for these requests cost at least, existing room being used as
    it is here; None when not known."""

    @property
    def acts(self) -> bool:
        """True when the plan changes the world."""
        return bool(self.launches or self.removals)


class Decision(Struct, frozen=True, omit_defaults=True):
    """A plan as it was recorded, and what came of it."""

    decision_id: int
    at: float
    plan: Plan
    summary: str
    """One line for the journal."""
    nodes_before: int = 0
    solved_ms: float = 0.0
    outcome: str = ""
    """`2 allocated in 3.1 s`, or the error; empty while under way."""
