"""Every series of Ray's autoscaler is there, by its name, type, labels and buckets."""

from __future__ import annotations

import pytest

from raytui.autoscaler.metrics.ray_series import ray_series
from raytui.autoscaler.metrics.series import Durations, Kind
from raytui.autoscaler.metrics.tally import Tally
from raytui.autoscaler.simulation.showcase import showcase
from tests.support.needs import missing


@pytest.fixture(scope="module")
def rays() -> dict[str, tuple[str, frozenset[str]]]:
    """Name → (type, labels) of what Ray's own class registers."""
    missing("ray")
    from ray.autoscaler._private.prom_metrics import AutoscalerPrometheusMetrics

    metrics = AutoscalerPrometheusMetrics(session_name="s")
    for gauge in ("pending_nodes", "active_nodes", "recently_failed_nodes"):
        getattr(metrics, gauge).labels(NodeType="t", SessionName="s").set(1)
    for gauge in ("cluster_resources", "pending_resources"):
        getattr(metrics, gauge).labels(resource="CPU", SessionName="s").set(1)
    return {
        family.name: (family.type, frozenset(family.samples[0].labels) - {"le"})
        for family in metrics.registry.collect()
    }


def test_names_types_and_labels(rays: dict[str, tuple[str, frozenset[str]]]):
    engine = showcase(10)
    snapshot = engine.tick()
    ours = {
        series.name: (series.kind.value, frozenset(series.labels))
        for series in ray_series(snapshot, Tally(), "s", snapshot.taken_at)
    }
    assert ours == rays


def test_buckets(rays: dict[str, tuple[str, frozenset[str]]]):
    from ray.autoscaler._private.prom_metrics import AutoscalerPrometheusMetrics

    theirs: dict[str, list[str]] = {}
    for family in AutoscalerPrometheusMetrics(session_name="s").registry.collect():
        for sample in family.samples:
            if "le" in sample.labels:
                theirs.setdefault(family.name, []).append(sample.labels["le"])
    engine = showcase(10)
    snapshot = engine.tick()
    ours = {
        series.name: [bound for bound, _ in value.buckets()]
        for series in ray_series(snapshot, Tally(), "s", snapshot.taken_at)
        if series.kind is Kind.HISTOGRAM
        for value in series.values.values()
        if isinstance(value, Durations)
    }
    assert ours == theirs
