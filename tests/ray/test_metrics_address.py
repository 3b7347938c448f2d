"""Ray lists our metrics for Prometheus, and our address is not taken for a monitor of Ray's."""

from __future__ import annotations

import json
import urllib.request

import pytest

from raytui.ray import gcs
from tests.support.local_cluster import LocalCluster, eventually

pytestmark = pytest.mark.ray

ADDRESS = "127.0.0.1:45678"


def listed(cluster: LocalCluster) -> list[str]:
    """What Ray's service discovery says, over HTTP as Prometheus asks for it."""
    url = f"{cluster.ray.dashboard_url()}/api/prometheus/sd"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return [target for group in json.load(answer) for target in group["targets"]]


def test_rays_service_discovery_lists_us(cluster: LocalCluster):
    cluster.ray.announce_metrics(ADDRESS)
    assert eventually(lambda: ADDRESS in listed(cluster))


@pytest.mark.timeout(60)
def test_the_next_daemon_does_not_wait_for_a_monitor(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
):
    cluster.ray.announce_metrics(ADDRESS)
    monkeypatch.setattr(gcs, "_MONITOR_WATCH_S", 3600.0)
    next_daemon = gcs.GcsRay(cluster.ray.gcs_address)
    next_daemon.take_over(cluster.spec)
    next_daemon.close()
