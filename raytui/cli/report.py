"""`raytui status --json`: stable names for scripts. docs/json.md describes every one of them."""

from __future__ import annotations

from msgspec import Struct

from raytui.autoscaler.explain import explain, why_here
from raytui.autoscaler.planning.avoided import scope_text
from raytui.autoscaler.reason_codes import code_of
from raytui.model.plan import LaunchFailure, Outcome
from raytui.model.snapshot import Event, Row, Snapshot, TypeRow
from raytui.model.state import Notice, NoticeKind

_EVENTS = 20


class AutoscalerReport(Struct, frozen=True):
    """Whether somebody scales the cluster."""

    running: bool
    pid: int | None
    paused_by: str
    trouble: str
    watch_only: str


class SourceReport(Struct, frozen=True):
    """Whether a source of facts answers and is believed: else nothing is removed."""

    name: str
    ok: bool
    last_ok_at: float | None
    error: str
    warning: str


class NodeReport(Struct, frozen=True):
    """One node."""

    node_id: str
    instance_id: str
    node_type: str
    is_head: bool
    status: str
    ip: str
    idle_s: float | None
    total: dict[str, float]
    available: dict[str, float]
    reason: str
    code: str
    held_by: str
    orphan: bool
    at_risk: bool
    taken_back_at: float | None
    launched_at: float | None
    price_per_hour: float | None


class NodeTypeReport(Struct, frozen=True):
    """One node type."""

    name: str
    min: int
    max: int
    running: int
    launching: int
    draining: int
    failed: int
    idle: int
    is_head: bool
    price_per_hour: float | None
    used: dict[str, float]
    total: dict[str, float]


class DemandReport(Struct, frozen=True):
    """A pending request, or the part of it that waits for one reason."""

    kind: str
    label: str
    resources: dict[str, float]
    count: int
    wait: str
    reason: str
    code: str


class FailureReport(Struct, frozen=True):
    """A failing offering that is avoided for a while."""

    node_type: str
    kind: str
    message: str
    blocks: str
    zone: str
    instance_type: str
    market: str
    count: int
    failed_at: float
    retry_at: float


class EventReport(Struct, frozen=True):
    """A line of the journal."""

    at: float
    level: str
    text: str
    by: str


class StatusReport(Struct, frozen=True):
    """The whole."""

    cluster_name: str
    provider: str
    gcs_address: str
    dashboard_url: str
    taken_at: float
    autoscaler: AutoscalerReport
    sources: tuple[SourceReport, ...]
    nodes: tuple[NodeReport, ...]
    node_types: tuple[NodeTypeReport, ...]
    demands: tuple[DemandReport, ...]
    failures: tuple[FailureReport, ...]
    events: tuple[EventReport, ...]
    used: dict[str, float]
    total: dict[str, float]
    cost_per_hour: float | None
    idle_cost_per_hour: float | None


def report_of(snapshot: Snapshot) -> StatusReport:
    """The report of a snapshot. Ages are as of its `taken_at`."""
    now, info = snapshot.taken_at, snapshot.info
    running = all(source.ok for source in snapshot.sources if source.name == "daemon")
    return StatusReport(
        cluster_name=info.cluster_name,
        provider=info.provider,
        gcs_address=info.gcs_address,
        dashboard_url=info.dashboard_url,
        taken_at=now,
        autoscaler=AutoscalerReport(
            running,
            info.daemon_pid or None,
            snapshot.paused_by,
            snapshot.trouble,
            snapshot.watch_only,
        ),
        sources=tuple(
            SourceReport(s.name, s.ok, s.last_ok_at or None, s.error or s.doubt, s.warning)
            for s in snapshot.sources
        ),
        nodes=tuple(_node(row, now) for row in snapshot.rows),
        node_types=tuple(_node_type(row) for row in snapshot.types),
        demands=tuple(_demand(outcome, now) for outcome in snapshot.outcomes),
        failures=tuple(_failure(failure) for failure in snapshot.failures),
        events=tuple(_event(event) for event in snapshot.events[:_EVENTS]),
        used=snapshot.used,
        total=snapshot.total,
        cost_per_hour=round(snapshot.cost_per_hour, 4) if snapshot.priced else None,
        idle_cost_per_hour=round(snapshot.idle_cost_per_hour, 4) if snapshot.priced else None,
    )


def _node(row: Row, now: float) -> NodeReport:
    member = row.member
    instance, node = member.instance, member.node
    idle = node is not None and node.idle_since > 0
    return NodeReport(
        node_id=node.node_id if node else "",
        instance_id=instance.instance_id if instance else node.instance_id if node else "",
        node_type=member.node_type,
        is_head=member.is_head,
        status=member.status.value,
        ip=(node.ip if node else "") or (instance.ip if instance else ""),
        idle_s=round(max(0.0, now - node.idle_since), 1) if idle and node else None,
        total=node.total.amounts() if node else {},
        available=node.available.amounts() if node else {},
        reason=why_here(row, now),
        code=code_of(row.reason.why) if row.reason else "",
        held_by=row.hold.by if row.hold else "",
        orphan=instance is not None and instance.orphan,
        at_risk=member.notice is not None and member.notice.kind is not NoticeKind.DRAINED,
        taken_back_at=_taken_back_at(member.notice),
        launched_at=(instance.launched_at or None) if instance else None,
        price_per_hour=instance.price_per_hour if instance else None,
    )


def _taken_back_at(notice: Notice | None) -> float | None:
    if notice is None or notice.kind is not NoticeKind.INTERRUPTION:
        return None
    return notice.deadline or None


def _node_type(row: TypeRow) -> NodeTypeReport:
    return NodeTypeReport(
        name=row.name,
        min=row.min,
        max=row.max,
        running=row.running,
        launching=row.starting,
        draining=row.draining,
        failed=row.failed,
        idle=row.idle,
        is_head=row.is_head,
        price_per_hour=row.price_per_hour,
        used=row.used,
        total=row.total,
    )


def _demand(outcome: Outcome, now: float) -> DemandReport:
    return DemandReport(
        kind=outcome.kind.value,
        label=outcome.label or outcome.resources.text(),
        resources=outcome.resources.amounts(),
        count=outcome.count,
        wait=outcome.wait.value,
        reason=explain(outcome.reason, now),
        code=code_of(outcome.reason.why),
    )


def _failure(failure: LaunchFailure) -> FailureReport:
    return FailureReport(
        node_type=failure.node_type,
        kind=failure.kind.value,
        message=failure.message,
        blocks=scope_text(failure),
        zone=failure.zone,
        instance_type=failure.instance_type,
        market=failure.market.value,
        count=failure.count,
        failed_at=failure.failed_at,
        retry_at=failure.retry_at,
    )


def _event(event: Event) -> EventReport:
    return EventReport(event.at, event.level.value, event.text, event.by)
