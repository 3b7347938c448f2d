"""Every benchmark can be run for a taste, and then prints one JSON object and nothing else."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.needs import missing

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = (
    "aws_calls",
    "launch",
    "planner",
    "reconcile",
    "screen",
    "simulation",
    "startup",
    "watch_remote",
)


@cache
def taste(name: str, timeout_s: float) -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert isinstance(report, dict)
    return report


def check_shape(report: dict[str, Any], name: str) -> None:
    assert list(report) == ["benchmark", "machine", "cases", "summary"]
    assert report["benchmark"] == name
    assert {"cpu", "cores", "python", "date", "versions"} <= report["machine"].keys()
    assert report["cases"]
    assert all(isinstance(case, dict) and case for case in report["cases"])
    assert report["summary"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_quick_run_prints_one_json_object(name: str):
    check_shape(taste(name, 120), name)


@pytest.mark.slow
def test_all_planners_place_everything_in_the_quick_cases():
    missing("ray")
    *compared, alone = taste("planner", 120)["cases"]
    assert all((case["raytui_left"], case["ray_left"]) == (0, 0) for case in compared)
    assert alone["raytui_left"] == 0


@pytest.mark.slow
def test_no_plan_in_the_quick_cases_is_too_small_or_cheaper_than_ours():
    missing("ray")
    summary = taste("planner", 120)["summary"]
    assert summary["plans_too_small"] == 0
    assert summary["bound_claims_too_much_cases"] == 0
    assert summary["dearer_than_peer_cases"] == 0
    assert 1 <= summary["over_lp_budget"] <= summary["over_lp_greedy"] < summary["over_lp_v2"]


@pytest.mark.slow
def test_a_peer_that_is_cut_off_has_a_floor_of_seconds_and_no_answer(benchmark_module, monkeypatch):
    missing("ray")
    planner = benchmark_module("planner")
    monkeypatch.setattr(planner, "CAP_S", 1)
    case = planner.compared(planner.Shape(100, 10_000, "busy", 0))
    assert case["cut_off"] == "ray-v1, ray-v2"
    assert (case["v1_cpu_s"], case["v1_usd"], case["v2_nodes"]) == (1, None, None)
    assert case["ray_left"] is None
    assert case["cpu_ratio"] == pytest.approx(1 / case["greedy_cpu_s"], rel=0.01)


@pytest.mark.slow
@pytest.mark.ray
def test_the_reaction_to_demand_is_measured_on_real_ray():
    report = taste("reaction", 170)
    check_shape(report, "reaction")
    assert report["summary"]["trials"] == 3
    assert 0 < report["summary"]["median_s"] < 60
    assert [case["trials"] for case in report["cases"]] == [3, 2]


@pytest.mark.slow
@pytest.mark.ray
def test_watching_is_measured_beside_ray_status_on_real_ray():
    report = taste("watch", 170)
    check_shape(report, "watch")
    ours, screens, theirs = (case["cpu_ms_per_refresh"] for case in report["cases"])
    assert report["summary"]["cpu_ratio_vs_ray_status"] == pytest.approx(theirs / ours, rel=0.01)
    assert 0 < ours < screens < theirs


@pytest.fixture
def benchmark_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a file of benchmarks/ as its programs do, and forget it again."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def load(name: str) -> ModuleType:
        for module in ("common", name):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return importlib.import_module(name)

    return load


CASES = [{"name": "a", "nodes": 1500, "took_s": 0.25}, {"name": "bc", "nodes": 2, "took_s": None}]


def test_a_table_lines_up_its_numbers(benchmark_module):
    assert benchmark_module("common").plain_table(CASES).splitlines() == [
        "name  nodes  took s",
        "a     1,500    0.25",
        "bc        2       –",
    ]


def test_a_ratio_near_one_keeps_its_digits(benchmark_module):
    texts = map(benchmark_module("common").value_text, (1.0073, 0.02346, 1234.6, 12.345))
    assert list(texts) == ["1.007", "0.0235", "1,235", "12.3"]


def test_a_percentile_is_a_value_that_was_measured(benchmark_module):
    common = benchmark_module("common")
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert common.percentile(values, 0.5) == 3.0
    assert common.percentile(values, 0.95) == 5.0


def test_what_a_peer_did_not_do_has_no_ratio(benchmark_module):
    common = benchmark_module("common")
    assert common.ratio(3.0, 1.5) == 2.0
    assert common.ratio(None, 1.5) is None


def test_the_page_has_a_table_and_its_reading_for_every_program(benchmark_module):
    run_all = benchmark_module("run_all")
    machine = run_all.common.machine()
    summary = {"took_median_s": 0.25}
    names = ("reaction", *PROGRAMS)
    page = run_all.page(
        {n: {"machine": machine, "cases": CASES, "summary": summary} for n in names}
    )
    for name in names:
        assert f"## {name}\n" in page
    assert page.count("| bc | 2 | – |") == len(names)
    assert page.count("- took median s: 0.25") == len(names)
    assert "both of Ray's own planners" in page
