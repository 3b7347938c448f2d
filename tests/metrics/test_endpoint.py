"""`/metrics` and `/healthz` over HTTP."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from raytui.autoscaler.metrics.endpoint import (
    PORT_SETTING,
    RAY_PORT,
    Endpoint,
    EndpointError,
    open_endpoint,
)
from raytui.autoscaler.metrics.monitor import STALE_S, Monitor
from raytui.backends.local_start import free_port
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.spec import MetricsSpec
from raytui.model.state import SourceHealth
from raytui.ray.base import RayError

Open = Callable[[MetricsSpec, Monitor], Endpoint]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(tmp_path: Path, clock: Clock) -> Monitor:
    (tmp_path / "ledger.db").write_bytes(b"x" * 100)
    return Monitor("toy", tmp_path / "ledger.db", clock, clock)


@pytest.fixture
def opened() -> Iterator[Open]:
    endpoints: list[Endpoint] = []

    def open_one(spec: MetricsSpec, monitor: Monitor) -> Endpoint:
        endpoint = open_endpoint(spec, monitor)
        assert endpoint is not None
        endpoints.append(endpoint)
        return endpoint

    yield open_one
    for endpoint in endpoints:
        endpoint.close()


def snapshot(at: float, **more: Any) -> Snapshot:
    sources = (SourceHealth("gcs", True, at), SourceHealth("provider", False, at - 5, "away"))
    return Snapshot(
        ClusterInfo("toy", "fake"), seq=1, taken_at=at, sources=sources, session="s1", **more
    )


def ask(endpoint: Endpoint, path: str, method: str = "GET") -> tuple[int, bytes]:
    request = urllib.request.Request(endpoint.url + path, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_metrics_are_valid_and_ours_alone(opened: Open, monitor: Monitor, clock: Clock):
    endpoint = opened(MetricsSpec(port=free_port()), monitor)
    monitor.take(snapshot(clock.now, tick_ms=20.0, plan_ms=5.0))
    status, body = ask(endpoint, "/metrics")
    assert status == 200
    families = {f.name: f for f in text_string_to_metric_families(body.decode())}
    assert all(n.startswith(("autoscaler_", "raytui_", "process_")) for n in families)
    (size,) = families["raytui_ledger_bytes"].samples
    assert (size.value, size.labels) == (100.0, {"cluster": "toy"})
    up = {s.labels["source"]: s.value for s in families["raytui_source_up"].samples}
    assert up == {"gcs": 1.0, "provider": 0.0}
    ticks = {s.name: s.value for s in families["autoscaler_update_time_seconds"].samples}
    assert ticks["autoscaler_update_time_seconds_sum"] == 0.02
    assert ticks["autoscaler_update_time_seconds_count"] == 1.0


def test_there_are_no_metrics_before_the_first_round(opened: Open, monitor: Monitor):
    endpoint = opened(MetricsSpec(port=free_port()), monitor)
    status, body = ask(endpoint, "/metrics")
    assert status == 200
    assert b"autoscaler_" not in body


def test_health_is_the_age_of_the_last_round(opened: Open, monitor: Monitor, clock: Clock):
    endpoint = opened(MetricsSpec(port=free_port()), monitor)
    assert ask(endpoint, "/healthz")[0] == 503, "nothing has happened yet"
    monitor.take(snapshot(clock.now))
    clock.now += STALE_S
    status, body = ask(endpoint, "/healthz")
    assert status == 200
    assert body.count(b"\n") == 1
    told = json.loads(body)
    assert told["ok"] is True
    assert told["last_tick_age_s"] == STALE_S
    assert told["sources"]["provider"] == {"ok": False, "age_s": STALE_S + 5, "error": "away"}
    clock.now += 1
    status, body = ask(endpoint, "/healthz")
    assert status == 503
    assert json.loads(body)["ok"] is False


def test_a_round_that_crashed_is_no_round(opened: Open, monitor: Monitor, clock: Clock):
    endpoint = opened(MetricsSpec(port=free_port()), monitor)
    monitor.take(snapshot(clock.now))
    old = clock.now
    for _ in range(4):
        clock.now += 10
        monitor.take(snapshot(old, trouble="RuntimeError: broken"))
    status, body = ask(endpoint, "/healthz")
    assert status == 503
    assert json.loads(body)["trouble"] == "RuntimeError: broken"
    assert (
        b'autoscaler_update_loop_exceptions_total{SessionName="s1"} 4.0'
        in (ask(endpoint, "/metrics")[1])
    )


def test_other_paths_and_head_requests(opened: Open, monitor: Monitor):
    endpoint = opened(MetricsSpec(port=free_port()), monitor)
    assert ask(endpoint, "/")[0] == 404
    assert ask(endpoint, "/metrics?x=1")[0] == 200
    assert ask(endpoint, "/metrics", "HEAD") == (200, b"")
    assert ask(endpoint, "/metrics", "POST")[0] == 501


def test_it_listens_on_this_machine_only_unless_told(opened: Open, monitor: Monitor):
    endpoint = opened(MetricsSpec(port=free_port()), monitor)
    assert endpoint.host == "127.0.0.1"
    wide = opened(MetricsSpec("0.0.0.0", free_port()), monitor)
    assert wide.address("10.1.2.3:6379") == f"10.1.2.3:{wide.port}"
    assert wide.url == f"http://127.0.0.1:{wide.port}"


def test_it_listens_on_ipv6(opened: Open, monitor: Monitor):
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    endpoint = opened(MetricsSpec("::1", free_port()), monitor)
    assert endpoint.address("10.1.2.3:6379") == f"[::1]:{endpoint.port}"
    assert ask(endpoint, "/metrics")[0] == 200


def test_a_port_that_was_named_is_taken_or_nothing(
    opened: Open, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
):
    first = opened(MetricsSpec(port=free_port()), monitor)
    with pytest.raises(EndpointError, match=f"no metrics on 127.0.0.1:{first.port}: Address"):
        open_endpoint(MetricsSpec(port=first.port), monitor)
    monkeypatch.setenv(PORT_SETTING, str(first.port))
    with pytest.raises(EndpointError, match=str(first.port)):
        open_endpoint(MetricsSpec(), monitor)
    monkeypatch.setenv(PORT_SETTING, "many")
    with pytest.raises(EndpointError, match="is not a port"):
        open_endpoint(MetricsSpec(), monitor)


def test_several_daemons_on_one_machine_each_find_a_port(
    opened: Open, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(PORT_SETTING, raising=False)
    first, second = opened(MetricsSpec(), monitor), opened(MetricsSpec(), monitor)
    assert RAY_PORT <= first.port < second.port


def test_an_address_that_is_not_ours_is_said(monitor: Monitor):
    with pytest.raises(EndpointError, match=r"no metrics on 192\.0\.2\.1:"):
        open_endpoint(MetricsSpec("192.0.2.1"), monitor)


def test_port_0_turns_it_off(monitor: Monitor):
    assert open_endpoint(MetricsSpec(port=0), monitor) is None


def test_rays_names_are_ours_only_in_a_session_that_we_took_over(
    opened: Open, monitor: Monitor, clock: Clock
):
    endpoint = opened(MetricsSpec(port=free_port()), monitor)
    monitor.take(Snapshot(ClusterInfo("toy", "fake"), seq=1, taken_at=clock.now))
    body = ask(endpoint, "/metrics")[1]
    assert b"raytui_acts" in body
    assert b"autoscaler_" not in body
    monitor.take(snapshot(clock.now + 1))
    monitor.take(Snapshot(ClusterInfo("toy", "fake"), seq=3, taken_at=clock.now + 2))
    body = ask(endpoint, "/metrics")[1]
    assert b'autoscaler_running_workers_nodes{SessionName="s1"} 0.0' in body
    assert b'SessionName=""' not in body


def test_each_ray_session_is_told_the_address_once(monitor: Monitor):
    told: list[str] = []

    def tell(address: str) -> None:
        told.append(address)
        if len(told) == 1:
            raise RayError("away")

    monitor.announce(tell, "10.0.0.1:44217")
    monitor.take(Snapshot(ClusterInfo("toy", "fake"), seq=1, taken_at=1.0))
    assert told == [], "no session has been taken over"
    for at in (2.0, 3.0, 4.0):
        monitor.take(snapshot(at))
    assert told == ["10.0.0.1:44217"] * 2, "again after a failure, then no more"
