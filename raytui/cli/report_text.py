"""`raytui status` for people: what there is, what waits and why, what failed, what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from raytui.autoscaler.explain import explain, why_here
from raytui.autoscaler.planning.avoided import scope_text
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Outcome, Wait
from raytui.model.snapshot import Row, Snapshot, TypeRow
from raytui.model.text import (
    amount_text,
    clock_text,
    count_text,
    duration_text,
    money_text,
    plain,
)

_EVENTS = 8
_FAILURES = 20
"""A type of many instance types in many zones may have failed in all of them."""
_GLYPHS = {
    InstanceStatus.RUNNING: "●",
    InstanceStatus.DRAINING: "▽",
    InstanceStatus.TERMINATING: "▽",
    InstanceStatus.LOST: "✕",
    InstanceStatus.SETUP_FAILED: "✕",
    InstanceStatus.LAUNCH_FAILED: "✕",
}
_RESOURCES = ("CPU", "GPU", "memory", "object_store_memory")


def status_text(snapshot: Snapshot, notes: Sequence[str] = ()) -> str:
    """The whole status, with `notes` below its head; ages are as of the snapshot's own time."""
    now = snapshot.taken_at
    parts: list[Iterable[str]] = [
        _head(snapshot),
        notes,
        _section("NODE TYPES", _types(snapshot.types)),
        _section(f"NODES ({len(snapshot.rows)})", _nodes(snapshot.rows, now)),
        _section("RESOURCES IN USE", _resources(snapshot)),
        _section("PENDING DEMAND", _demand(snapshot.outcomes, now) or ["  none"]),
        _section("FAILED LAUNCHES", _failures(snapshot, now)),
        _section("EVENTS", _events(snapshot)),
    ]
    return "\n".join(plain(line) for part in parts for line in part)


def _head(snapshot: Snapshot) -> Iterable[str]:
    info = snapshot.info
    facts = [info.cluster_name, info.provider, f"GCS {info.gcs_address or 'unknown'}"]
    if info.dashboard_url:
        facts.append(f"dashboard {info.dashboard_url}")
    yield " · ".join(facts)
    state = state_text(snapshot)
    if snapshot.priced:
        cost = money_text(snapshot.cost_per_hour)
        state += f" · {cost} (idle {money_text(snapshot.idle_cost_per_hour)})"
    yield f"{state} · {clock_text(snapshot.taken_at)}"
    yield from trouble_lines(snapshot)


def state_text(snapshot: Snapshot) -> str:
    """Whether somebody scales the cluster."""
    if any(source.name == "daemon" and not source.ok for source in snapshot.sources):
        return "○ autoscaler not running"
    if snapshot.watch_only:
        return "◉ watching only"
    if snapshot.paused_by:
        return f"⏸ autoscaler paused by {snapshot.paused_by}"
    return "● autoscaler live"


def trouble_lines(snapshot: Snapshot) -> Iterable[str]:
    """What keeps the autoscaler from acting, or from knowing."""
    if snapshot.trouble:
        yield f"✕ {snapshot.trouble}"
    if snapshot.watch_only:
        yield f"◉ {snapshot.watch_only}"
    for source in snapshot.sources:
        if source.doubt:
            yield f"✕ {source.name} is not believed yet: {source.doubt}"
        elif not source.ok and source.error:
            yield f"✕ {source.name}: {source.error}"
        if source.warning:
            yield f"! {source.name}: {source.warning}"


def _types(types: Sequence[TypeRow]) -> list[str]:
    titles = ("", "min", "now", "max", "starting", "draining", "failed", "$/h")
    cells = [
        (
            row.name,
            str(row.min),
            str(row.running),
            str(row.max),
            *(str(n) if n else "" for n in (row.starting, row.draining, row.failed)),
            money_text(row.price_per_hour).removesuffix("/h"),
        )
        for row in types
    ]
    return table(titles, cells, right=range(1, 8))


def _nodes(rows: Sequence[Row], now: float) -> list[str]:
    return table(("", "", "", "", "", ""), [_node(row, now) for row in rows])


def _node(row: Row, now: float) -> tuple[str, ...]:
    member = row.member
    status = member.status
    glyph = "⏸" if row.hold else "◌" if member.idle else _GLYPHS.get(status, "◐")
    word = "idle" if member.idle else status.value
    launched = member.instance.launched_at if member.instance else 0.0
    return (
        row.id,
        member.node_type,
        f"{glyph} {word}",
        _use(row),
        duration_text(now - launched) if launched else "",
        why_here(row, now),
    )


def _use(row: Row) -> str:
    node = row.member.node
    if node is None:
        return ""
    return "  ".join(
        f"{name} {node.used.amount(name):g}/{node.total.amount(name):g}"
        for name in ("CPU", "GPU")
        if name in node.total
    )


def _resources(snapshot: Snapshot) -> list[str]:
    names = [n for n in _RESOURCES if n in snapshot.total]
    names += sorted(n for n in snapshot.total if n not in _RESOURCES)
    return [
        f"  {name} {amount_text(name, snapshot.used.get(name, 0))}"
        f" of {amount_text(name, snapshot.total[name])}"
        for name in names
    ]


def _demand(outcomes: Sequence[Outcome], now: float) -> list[str]:
    cells = [(f"{o.count:,} ×", o.label or o.resources.text(), _why(o, now)) for o in outcomes]
    return table(("", "", ""), cells, right=(0,))


def _why(outcome: Outcome, now: float) -> str:
    words = explain(outcome.reason, now)
    return f"infeasible: {words}" if outcome.wait is Wait.INFEASIBLE else words


def _failures(snapshot: Snapshot, now: float) -> list[str]:
    """What is avoided after failed launches, until when, and the provider's words."""
    cells = [
        (
            scope_text(f),
            f"{f.kind.value}, {count_text(f.count, 'time')}",
            f"{duration_text(now - f.failed_at)} ago",
            f"avoided until {clock_text(f.retry_at)}" if f.retry_at > now else "may be tried again",
            " ".join(f.message.split()),
        )
        for f in sorted(snapshot.failures, key=lambda f: -f.retry_at)[:_FAILURES]
    ]
    more = len(snapshot.failures) - len(cells)
    rest = [f"  … and {more:,} more; --json has them all"] if more else []
    return [*table(("", "", "", "", ""), cells), *rest]


def _events(snapshot: Snapshot) -> list[str]:
    return [
        f"  {clock_text(event.at)}  {event.text}" + (f" (by {event.by})" if event.by else "")
        for event in snapshot.events[:_EVENTS]
    ]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int] = ()
) -> list[str]:
    """Rows as aligned lines, indented by two; a row of titles when there are any."""
    if not rows:
        return []
    whole = [titles, *rows] if any(titles) else rows
    widths = [max(len(row[column]) for row in whole) for column in range(len(titles))]
    to_right = set(right)
    lines = []
    for row in whole:
        cells = [
            cell.rjust(width) if column in to_right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines
