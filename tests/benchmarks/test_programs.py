"""Every benchmark can be run for a taste, and then prints one JSON object and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import missing

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = ("planning", "screen", "startup", "tick")


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
def test_both_planners_place_everything_in_the_quick_cases():
    missing("ray")
    for case in taste("planning", 120)["cases"]:
        assert (case["raytui_left"], case["ray_left"]) == (0, 0)


@pytest.mark.slow
@pytest.mark.ray
def test_the_reaction_to_demand_is_measured_on_real_ray():
    report = taste("reaction", 170)
    check_shape(report, "reaction")
    assert report["summary"]["trials"] == 3
    assert 0 < report["summary"]["median_s"] < 60
    assert [case["trials"] for case in report["cases"]] == [3, 2]


def test_a_benchmark_tells_people_a_table():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("common", BENCHMARKS / "common.py")
    assert spec is not None
    assert spec.loader is not None
    common = module_from_spec(spec)
    sys.modules["common"] = common  # dataclasses look their module up
    spec.loader.exec_module(common)
    cases = [
        {"name": "a", "nodes": 1500, "took_s": 0.25},
        {"name": "bc", "nodes": 2, "took_s": None},
    ]
    assert common.plain_table(cases).splitlines() == [
        "name  nodes  took s",
        "a     1,500    0.25",
        "bc        2       –",
    ]
    assert common.markdown_table(cases).splitlines()[1] == "| --- | ---: | ---: |"
    assert common.percentile([5.0, 1.0, 4.0, 2.0, 3.0], 0.5) == 3.0
    assert common.ratio(3.0, None) is None
