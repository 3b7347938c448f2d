"""The series of Ray's own autoscaler, by its names, so that existing Grafana boards fill.

Names, types and labels: ray/autoscaler/_private/prom_metrics.py of Ray 2.60. Ray's v2 autoscaler
leaves most of them at zero; here they are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from raytui.autoscaler.metrics.series import Series, counter, gauge, gauges, histogram
from raytui.autoscaler.metrics.tally import Tally
from raytui.model.lifecycle import InstanceStatus
from raytui.model.snapshot import Snapshot

_S = InstanceStatus


def ray_series(snapshot: Snapshot, tally: Tally, session: str, now: float) -> Iterator[Series]:
    """All of them. Ray's boards choose by the label SessionName, which is Ray's `session`."""
    for part in (_nodes(snapshot, tally, now), _resources(snapshot), _times(tally), _counts(tally)):
        for series in part:
            yield series.labelled("SessionName", session)


def _nodes(snapshot: Snapshot, tally: Tally, now: float) -> Iterator[Series]:
    failed = tally.recently_failed(now)
    running = Counter(
        row.member.node_type
        for row in snapshot.rows
        if row.member.status in (_S.RUNNING, _S.DRAINING)
    )
    types = snapshot.types
    yield _by_type(
        "autoscaler_pending_nodes",
        "Nodes that are being started.",
        {row.name: row.starting for row in types},
    )
    yield _by_type(
        "autoscaler_active_nodes",
        "Nodes that run Ray, those being drained included.",
        {row.name: running[row.name] for row in types},
    )
    yield _by_type(
        "autoscaler_recently_failed_nodes",
        "Nodes of the last 30 minutes that could not be had, set up, or kept.",
        {row.name: failed[row.name] for row in types},
    )
    workers = Counter(row.member.status for row in snapshot.rows if not row.member.is_head)
    yield gauge(
        "autoscaler_updating_nodes",
        "Workers that the provider gave and that Ray does not know yet.",
        workers[_S.ALLOCATED] + workers[_S.SETTING_UP],
    )
    yield gauge(
        "autoscaler_recovering_nodes",
        "Running nodes that are missing from GCS.",
        len(tally.missing),
    )
    yield gauge(
        "autoscaler_running_workers_nodes",
        "Workers that run Ray.",
        workers[_S.RUNNING] + workers[_S.DRAINING],
    )


def _by_type(name: str, text: str, counts: Mapping[str, int]) -> Series:
    return gauges(name, text, ("NodeType",), {(kind,): n for kind, n in counts.items()})


def _resources(snapshot: Snapshot) -> Iterator[Series]:
    pending = dict.fromkeys(snapshot.total, 0.0)
    for row in snapshot.types:
        for name, amount in row.resources.items():
            pending[name] = pending.get(name, 0.0) + row.starting * amount
    yield _by_resource(
        "autoscaler_cluster_resources",
        "Resources of all nodes that run Ray.",
        snapshot.total,
    )
    yield _by_resource(
        "autoscaler_pending_resources",
        "Resources of all nodes that are being started.",
        pending,
    )


def _by_resource(name: str, text: str, amounts: Mapping[str, float]) -> Series:
    return gauges(name, text, ("resource",), {(kind,): n for kind, n in amounts.items()})


def _times(tally: Tally) -> Iterator[Series]:
    yield histogram(
        "autoscaler_worker_create_node_time_seconds",
        "From the intent to launch a node until the provider gave it.",
        tally.create_s,
    )
    yield histogram(
        "autoscaler_worker_update_time_seconds",
        "From then until it registered with Ray.",
        tally.set_up_s,
    )
    yield histogram(
        "autoscaler_update_time_seconds", "Length of a round of the autoscaler.", tally.round_s
    )


def _counts(tally: Tally) -> Iterator[Series]:
    yield counter(
        "autoscaler_started_nodes", "Nodes that the provider gave.", tally.started.total()
    )
    yield counter("autoscaler_stopped_nodes", "Nodes that were terminated.", tally.stopped)
    yield counter(
        "autoscaler_failed_create_nodes",
        "Nodes that the provider was asked for and did not give.",
        tally.count(_S.LAUNCH_FAILED),
    )
    yield counter(
        "autoscaler_node_launch_exceptions",
        "Launch calls that failed, wholly or in part.",
        tally.launch_errors,
    )
    yield counter(
        "autoscaler_successful_updates", "Nodes whose set-up ended well.", tally.startup_s.count
    )
    yield counter(
        "autoscaler_failed_updates", "Nodes whose set-up failed.", tally.count(_S.SETUP_FAILED)
    )
    yield counter(
        "autoscaler_successful_recoveries",
        "Nodes that were missing from GCS and came back.",
        tally.recovered,
    )
    yield counter(
        "autoscaler_failed_recoveries",
        "Nodes that were missing from GCS and did not come back.",
        tally.not_recovered,
    )
    yield counter(
        "autoscaler_update_loop_exceptions",
        "Rounds in which the autoscaler could not act.",
        tally.failed_rounds,
    )
    refused = "Changed cluster files that were refused."
    yield counter("autoscaler_reset_exceptions", refused, tally.bad_reloads)
    yield counter("autoscaler_config_validation_exceptions", refused, tally.bad_reloads)
    yield counter(
        "autoscaler_drain_node_exceptions", "Drains that Ray refused.", tally.drains_refused
    )
