"""Ray lists our metrics for Prometheus, and our address is not taken for a monitor of Ray's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raytui.backends.local_start import free_port
from raytui.ray import gcs
from raytui.ray.base import RayError
from tests.support import processes
from tests.support.local_cluster import LocalCluster, spec
from tests.support.waiting import eventually

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


@pytest.mark.slow
def test_a_daemon_that_outlives_its_head_does_not_make_the_next_one_wait(
    monkeypatch: pytest.MonkeyPatch,
):
    port = free_port()
    outlives, next_daemon = (gcs.GcsRay(f"127.0.0.1:{port}") for _ in range(2))
    with head(port):
        outlives.wait_ready(30)
    with head(port):
        eventually(lambda: announced(outlives))
        monkeypatch.setattr(gcs, "_MONITOR_WATCH_S", 3600.0)
        next_daemon.take_over(spec("next"))
    outlives.close()
    next_daemon.close()


def announced(ray: gcs.GcsRay) -> bool:
    try:
        ray.announce_metrics(ADDRESS)
    except RayError:
        return False
    return True


@contextmanager
def head(port: int) -> Iterator[None]:
    """A head on a port of one's choice."""
    folder = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
    environment = {**os.environ, "RAYTUI_TEST_MARK": str(folder)}
    words = (
        *("--head", "--no-monitor", "--include-dashboard=false", "--disable-usage-stats"),
        *("--node-ip-address=127.0.0.1", f"--port={port}", f"--temp-dir={folder}"),
        "--object-store-memory=80000000",
    )
    argv = [str(Path(sys.executable).parent / "ray"), "start", *words]
    try:
        subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
        yield
    finally:
        ours = processes.with_setting("RAYTUI_TEST_MARK", str(folder)) + processes.using(folder)
        for process in ours:
            process.kill()
        eventually(lambda: all(map(processes.is_gone, ours)), 15)
        shutil.rmtree(folder, ignore_errors=True)
