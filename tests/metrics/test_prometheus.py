"""A real Prometheus scrapes a daemon, and what Ray's Grafana boards ask it for has values."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from raytui.autoscaler.daemon.process import Daemon
from raytui.autoscaler.metrics.endpoint import Endpoint, open_endpoint
from raytui.autoscaler.metrics.monitor import Monitor
from raytui.autoscaler.simulation.showcase import showcase
from raytui.backends.local_start import free_port
from raytui.config.locations import ClusterPaths
from raytui.model.command import Ack
from raytui.model.spec import MetricsSpec
from tests.support.needs import missing

pytestmark = pytest.mark.slow

_CONFIG = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: ray
    file_sd_configs:
      - files: ["%s"]
"""
"""As Ray writes it (ray/dashboard/modules/metrics/templates.py), only more often."""


@asynccontextmanager
async def daemon(paths: ClusterPaths) -> AsyncIterator[Endpoint]:
    """The daemon of a simulated cluster of about 40 nodes, where some launches fail."""
    monitor = Monitor("sim", paths.ledger)
    endpoint = open_endpoint(MetricsSpec(port=free_port()), monitor)
    assert endpoint is not None
    served = Daemon(
        "sim", paths, lambda: showcase(40), lambda engine: Ack(True, ""), monitor=monitor
    )
    task = asyncio.create_task(served.run())
    try:
        yield endpoint
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        endpoint.close()


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Its URL, and how to tell it whom to scrape."""
    missing("prometheus")
    targets = tmp_path / "prom_metrics_service_discovery.json"
    config = tmp_path / "prometheus.yml"
    config.write_text(_CONFIG % targets)

    def scrape(address: str) -> None:
        written = tmp_path / "targets.new"
        written.write_text(json.dumps([{"labels": {"job": "ray"}, "targets": [address]}]))
        written.rename(targets)

    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
    yield f"http://{address}", scrape
    process.terminate()
    process.wait(30)


async def query(url: str, expression: str) -> list[dict[str, Any]]:
    """The result of an instant query; empty as long as Prometheus does not answer."""

    def get() -> list[dict[str, Any]]:
        words = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{url}/api/v1/query?{words}", timeout=10) as answer:
                return list(json.load(answer)["data"]["result"])
        except urllib.error.HTTPError as refused:
            if refused.code == HTTPStatus.SERVICE_UNAVAILABLE:  # it is still starting
                return []
            raise AssertionError(f"{expression}: {refused.read().decode()}") from None
        except OSError:
            return []

    return await asyncio.to_thread(get)


async def answer(url: str, expression: str, within_s: float = 60) -> list[dict[str, Any]]:
    """The same, waiting until there is one."""
    async with asyncio.timeout(within_s):
        while not (result := await query(url, expression)):
            await asyncio.sleep(0.1)
    return result


def board_queries() -> list[str]:
    """Every query of Ray's boards that is about the autoscaler alone, filtered by session."""
    from ray.dashboard.modules.metrics.dashboards import (
        default_dashboard_panels,
        serve_dashboard_panels,
    )
    from ray.dashboard.modules.metrics.dashboards.common import DashboardConfig

    boards = [
        value
        for module in (default_dashboard_panels, serve_dashboard_panels)
        for value in vars(module).values()
        if isinstance(value, DashboardConfig)
    ]
    panels = [p for b in boards for p in (*b.panels, *(p for row in b.rows for p in row.panels))]
    return sorted(
        {
            target.expr.format(global_filters='SessionName=~"simulated"')
            for panel in panels
            for target in panel.targets
            if "autoscaler_" in target.expr and "ray_" not in target.expr
        }
    )


async def test_what_rays_boards_ask_for_has_values(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prometheus: tuple[str, Callable[[str], None]],
):
    missing("ray")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    url, scrape = prometheus
    async with daemon(ClusterPaths("sim").make()) as endpoint:
        scrape(endpoint.address("127.0.0.1:6379"))
        await answer(url, 'up{job="ray"} == 1')
        queries = board_queries()
        assert len(queries) >= 6
        for expression in queries:
            result = await answer(url, expression)
            assert all(float(row["value"][1]) >= 0 for row in result), expression
        (workers,) = await answer(url, "autoscaler_running_workers_nodes > 10")
        assert workers["metric"]["SessionName"] == "simulated"
        assert await answer(url, "autoscaler_update_time_seconds_count > 1")
        assert await answer(url, 'sum(autoscaler_cluster_resources{resource="GPU"}) > 8')
        assert await answer(url, "histogram_quantile(0.5, raytui_tick_seconds_bucket) > 0")
        assert await answer(url, 'raytui_source_up{source="gcs"} == 1')
