"""What the operator tells of its own health."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest

from raytui.operator.monitor import OperatorMonitor
from tests.kubernetes.operating import operator
from tests.kubernetes.waiting import until


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_operator_whose_event_loop_stands_still_is_not_well() -> None:
    clock = _Clock()
    monitor = OperatorMonitor(dict, clock)
    monitor.leads()
    clock.now += 59
    assert monitor.health()[0]

    clock.now += 2
    is_well, said = monitor.health()
    assert not is_well
    assert "stood still for 61 s" in json.loads(said)["failure"]

    monitor.beat()
    assert monitor.health()[0]


def test_operator_that_stands_by_is_well_however_long() -> None:
    clock = _Clock()
    monitor = OperatorMonitor(dict, clock)
    clock.now += 10_000

    assert monitor.health()[0]


@pytest.mark.kubernetes
@pytest.mark.slow
def test_event_loop_of_an_operator_tells_that_it_runs(
    namespace: str, kubeconfig: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ages: list[float] = []

    def is_younger() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            told = json.load(answer)
        ages.append(told["loop_age_s"])
        return bool(told["leads"]) and ages[-1] < max(ages)

    options = (f"--namespace={namespace}", "--no-leader-election", f"--port={port}")
    with operator(kubeconfig, tmp_path, *options) as running:
        until(lambda: "operator drives" in running.log.read_text(), "it runs")

        until(is_younger, "the loop has beaten again")
