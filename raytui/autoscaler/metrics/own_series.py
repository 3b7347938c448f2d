"""Our own series, named `raytui_…`: what Ray's autoscaler has no word for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from raytui import __version__
from raytui.autoscaler.metrics.series import Series, counter, counters, gauge, gauges, histogram
from raytui.autoscaler.metrics.tally import Tally
from raytui.autoscaler.reason_codes import code_of
from raytui.model.snapshot import Snapshot


def own_series(snapshot: Snapshot, tally: Tally, now: float) -> Iterator[Series]:
    """All that come from snapshots. Each has the label `cluster`."""
    for part in (
        _state(snapshot),
        _sources(snapshot, now),
        _demand(snapshot, now),
        _nodes(snapshot),
        _past(tally),
    ):
        for series in part:
            yield series.labelled("cluster", snapshot.info.cluster_name)


def _state(snapshot: Snapshot) -> Iterator[Series]:
    provider = snapshot.info.provider
    yield gauges(
        "raytui_info", "Always 1.", ("version", "provider"), {(__version__, provider): 1.0}
    )
    acts = not (snapshot.trouble or snapshot.paused_by or snapshot.watch_only)
    yield gauge("raytui_acts", "1 when the autoscaler acts; 0 when it may not or cannot.", acts)
    yield gauge("raytui_paused", "1 when a person has paused it.", bool(snapshot.paused_by))
    yield gauge("raytui_last_tick_timestamp_seconds", "When the last round was.", snapshot.taken_at)


def _sources(snapshot: Snapshot, now: float) -> Iterator[Series]:
    yield gauges(
        "raytui_source_up",
        "1 when a source of facts answers.",
        ("source",),
        {(source.name,): float(source.ok) for source in snapshot.sources},
    )
    yield gauges(
        "raytui_source_age_seconds",
        "Time since a source answered.",
        ("source",),
        {(s.name,): max(0.0, now - s.last_ok_at) for s in snapshot.sources if s.last_ok_at},
    )


def _demand(snapshot: Snapshot, now: float) -> Iterator[Series]:
    waiting: Counter[tuple[str, ...]] = Counter()
    for outcome in snapshot.outcomes:
        why = code_of(outcome.reason.why)
        waiting[outcome.kind.value, outcome.wait.value, why] += outcome.count
    yield gauges(
        "raytui_requests_waiting",
        "Requests that wait, by what for and the code of the reason.",
        ("kind", "wait", "code"),
        waiting,
    )
    yield gauges(
        "raytui_avoided_offerings",
        "Ways to buy a node that are avoided after a failure.",
        ("node_type", "kind"),
        Counter((f.node_type, f.kind.value) for f in snapshot.failures if f.retry_at > now),
    )
    yield gauges(
        "raytui_resources_used",
        "Resources in use.",
        ("resource",),
        {(name,): amount for name, amount in snapshot.used.items()},
    )


def _nodes(snapshot: Snapshot) -> Iterator[Series]:
    types = snapshot.types
    yield gauges(
        "raytui_instances",
        "Instances by status.",
        ("node_type", "status"),
        Counter((row.member.node_type, row.member.status.value) for row in snapshot.rows),
    )
    for name, text, values in (
        ("idle", "Nodes with nothing on them.", {row.name: row.idle for row in types}),
        ("min", "The floor in force.", {row.name: row.min for row in types}),
        ("max", "The limit in force.", {row.name: row.max for row in types}),
    ):
        by_type: dict[tuple[str, ...], float] = {(kind,): n for kind, n in values.items()}
        yield gauges(f"raytui_{name}_nodes", text, ("node_type",), by_type)
    if snapshot.priced:
        yield gauge("raytui_cost_dollars_per_hour", "Price of all nodes.", snapshot.cost_per_hour)
        yield gauge(
            "raytui_idle_cost_dollars_per_hour",
            "Price of the idle workers among them.",
            snapshot.idle_cost_per_hour,
        )


def _past(tally: Tally) -> Iterator[Series]:
    yield counters(
        "raytui_instance_moves",
        "How often an instance came to a status.",
        ("node_type", "status"),
        {(kind, status.value): count for (kind, status), count in tally.moves.items()},
    )
    yield counter(
        "raytui_launch_errors",
        "Launch calls that failed, wholly or in part.",
        tally.launch_errors,
    )
    yield counter("raytui_drains_refused", "Drains that Ray refused.", tally.drains_refused)
    yield counter("raytui_failed_rounds", "Rounds in which it could not act.", tally.failed_rounds)
    yield counter(
        "raytui_bad_reloads", "Changed cluster files that were refused.", tally.bad_reloads
    )
    yield histogram("raytui_tick_seconds", "Length of a round.", tally.tick_s)
    yield histogram(
        "raytui_plan_seconds", "The part of a round that went into the plan.", tally.plan_s
    )
    yield histogram(
        "raytui_node_startup_seconds",
        "From the intent to launch a node to its registration with Ray.",
        tally.startup_s,
    )
