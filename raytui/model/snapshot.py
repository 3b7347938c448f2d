"""What a screen needs: one whole immutable picture, and the difference between two."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from raytui.model.leaving import ORDERED_DRAIN_S
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Decision, Hold, LaunchFailure, Outcome
from raytui.model.reason import Reason
from raytui.model.state import Member, SourceHealth


class Level(StrEnum):
    """How loud an event is."""

    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


class Event(Struct, frozen=True, omit_defaults=True):
    """One line of the journal."""

    event_id: int
    at: float
    level: Level
    text: str
    detail: str = ""
    """The whole story (an error's full text, a log tail); shown on Enter."""
    decision_id: int = 0
    instance_id: str = ""
    by: str = ""


class Move(Struct, frozen=True, omit_defaults=True):
    """An instance came to a status."""

    instance_id: str
    node_type: str
    status: InstanceStatus
    was: InstanceStatus | None = None
    """None when nothing was known of it before."""
    after_s: float = 0.0
    """Seconds that it was in `was`."""
    launched_s: float = 0.0
    """Seconds since its launch was intended."""
    request_id: str = ""


class TypeRow(Struct, frozen=True, omit_defaults=True):
    """One line of the node type table."""

    name: str
    min: int
    """The floor in force: a person's, or min_workers."""
    max: int
    running: int = 0
    starting: int = 0
    draining: int = 0
    failed: int = 0
    """Launch failures now remembered."""
    idle: int = 0
    is_head: bool = False
    price_per_hour: float | None = None
    """USD per hour of one node, cheapest offering."""
    cost_per_hour: float = 0.0
    """USD per hour of all its nodes now."""
    user_floor: bool = False
    user_ceiling: bool = False
    """`max` is a person's, below max_workers."""
    resources: dict[str, float] = {}
    """Resource name to amount of one node, as the cluster file has it."""
    backoff_until: float = 0.0
    """When the type may be launched again that is avoided altogether; 0 when it is not."""
    used: dict[str, float] = {}
    total: dict[str, float] = {}
    """Resource name to amount over all running nodes of the type."""
    history: tuple[float, ...] = ()
    """Use of its dominant resource, 0 to 1, oldest first, one a second over the last minute."""


class Row(Struct, frozen=True, omit_defaults=True):
    """A member with the reason why it is here."""

    member: Member
    reason: Reason | None = None
    hold: Hold | None = None

    @property
    def id(self) -> str:
        """The member's id."""
        return self.member.id


class ClusterInfo(Struct, frozen=True, omit_defaults=True):
    """What does not change from tick to tick."""

    cluster_name: str
    provider: str
    gcs_address: str = ""
    dashboard_url: str = ""
    ray_version: str = ""
    daemon_pid: int = 0
    source: str = ""
    max_workers: int = 0
    upscaling_speed: float = 0.0
    idle_timeout_s: float = 0.0
    drain_s: float = ORDERED_DRAIN_S
    """How long a busy node may work on that is ordered to leave."""
    metrics_url: str = ""
    """`http://host:port` of the daemon's metrics; empty when there are none."""


class Snapshot(Struct, frozen=True):
    """A whole picture of the cluster at `taken_at` (unix seconds on the daemon's clock)."""

    info: ClusterInfo
    seq: int
    taken_at: float
    rows: tuple[Row, ...] = ()
    """Head first, then by node type and launch time."""
    types: tuple[TypeRow, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    """Every pending request, or part of one, and why it waits."""
    events: tuple[Event, ...] = ()
    """Newest first, bounded."""
    decisions: tuple[Decision, ...] = ()
    """Newest first, bounded; older ones by a history request."""
    failures: tuple[LaunchFailure, ...] = ()
    sources: tuple[SourceHealth, ...] = ()
    used: dict[str, float] = {}
    total: dict[str, float] = {}
    history: dict[str, tuple[float, ...]] = {}
    """Resource name to share in use, 0 to 1, oldest first, one value a second."""
    cost_per_hour: float = 0.0
    idle_cost_per_hour: float = 0.0
    priced: bool = False
    """False when no node type has a price: then costs are unknown, not zero."""
    paused_by: str = ""
    trouble: str = ""
    """Why the autoscaler does not act (another autoscaler, a full disk); empty when it does."""
    watch_only: str = ""
    """Why raytui only watches this cluster, and what to do for it to act; no trouble, since
    somebody else scales it, or nobody is to. Every command is refused with these words."""
    tick_ms: float = 0.0
    plan_ms: float = 0.0
    """The part of `tick_ms` that went into the plan."""
    session: str = ""
    """Ray's session that this autoscaler has taken over; empty until it has."""
    moves: tuple[Move, ...] = ()
    """Instances that changed their status since the snapshot before this one, in order."""

    def row(self, row_id: str) -> Row | None:
        """The row of one member, or None when it is gone."""
        return next((row for row in self.rows if row.id == row_id), None)


class Delta(Struct, frozen=True, omit_defaults=True):
    """What changed since `base`: changed rows, new journal lines, and the small rest whole."""

    base: int
    rest: Snapshot
    """The new snapshot with `rows`, `events` and `decisions` left empty."""
    order: tuple[str, ...] | None = None
    """Ids of all rows in order; None when the order did not change."""
    changed: tuple[Row, ...] = ()
    events: tuple[Event, ...] = ()
    """New ones, newest first."""
    decisions: tuple[Decision, ...] = ()
    """New and changed ones, newest first."""
    event_count: int = 0
    """How many events the new snapshot has."""
    decision_count: int = 0


def difference(old: Snapshot, new: Snapshot) -> Delta:
    """The Delta that turns `old` into `new`."""
    rows = {row.id: row for row in old.rows}
    order = tuple(row.id for row in new.rows)
    events = {event.event_id for event in old.events}
    decisions = {decision.decision_id: decision for decision in old.decisions}
    return Delta(
        base=old.seq,
        rest=msgspec.structs.replace(new, rows=(), events=(), decisions=()),
        order=None if order == tuple(rows) else order,
        changed=tuple(row for row in new.rows if rows.get(row.id) != row),
        events=tuple(event for event in new.events if event.event_id not in events),
        decisions=tuple(d for d in new.decisions if decisions.get(d.decision_id) != d),
        event_count=len(new.events),
        decision_count=len(new.decisions),
    )


def apply(old: Snapshot, delta: Delta) -> Snapshot:
    """Apply `delta` to the snapshot it was made from; ValueError when it was made from another."""
    if delta.base != old.seq:
        raise ValueError(f"delta is for snapshot {delta.base}, this is {old.seq}")
    rows = {row.id: row for row in old.rows}
    order = tuple(rows) if delta.order is None else delta.order
    rows.update((row.id, row) for row in delta.changed)
    changed = {decision.decision_id for decision in delta.decisions}
    decisions = (
        *delta.decisions,
        *(d for d in old.decisions if d.decision_id not in changed),
    )
    return msgspec.structs.replace(
        delta.rest,
        rows=tuple(rows[row_id] for row_id in order),
        events=(*delta.events, *old.events)[: delta.event_count],
        decisions=tuple(sorted(decisions, key=lambda d: -d.decision_id)[: delta.decision_count]),
    )
