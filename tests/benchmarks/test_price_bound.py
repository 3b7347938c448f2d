"""The bound that planners are measured against: never above what is possible, and tight."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from tests.benchmarks.test_programs import BENCHMARKS
from tests.support.needs import missing


@pytest.fixture
def price_bound(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    missing("ray")  # HiGHS comes with it
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("price_bound")


def work(module: ModuleType, demands, *, free=(), gangs=0):
    """Node types `small` (4 CPUs, $1) and `gpu` (16 CPUs, 64 GiB, 1 GPU, $5)."""
    workload = importlib.import_module("workload")
    small = workload.Machine("small", {"CPU": 4}, 1.0)
    gpu = workload.Machine("gpu", {"CPU": 16, "GPU": 1, "memory": 64 * workload.GIB}, 5.0)
    existing = tuple(workload.Existing(small, {"CPU": cpus}) for cpus in free)
    return module.Workload((small, gpu), existing, tuple(demands), gangs)


@pytest.mark.parametrize(
    ("demands", "free", "least"),
    [
        pytest.param([({"CPU": 1}, 6)], (), 1.5, id="nodes may be bought in fractions"),
        pytest.param([({"CPU": 3}, 4)], (), 4.0, id="but a request is never split over nodes"),
        pytest.param([({"CPU": 3}, 4)], (4, 3, 2), 2.0, id="room that exists is free"),
        pytest.param([({"CPU": 3}, 1)], (4, 4), 0.0, id="nothing need be bought"),
        pytest.param([({"CPU": 3}, 1), ({"CPU": 1}, 1)], (), 1.0, id="shapes share a node"),
        pytest.param([({"CPU": 1, "GPU": 1}, 2), ({"CPU": 15}, 2)], (), 10.0, id="GPUs too"),
        pytest.param([({"memory": 48 * 2**30, "CPU": 1}, 2)], (), 10.0, id="memory counts"),
    ],
)
def test_the_least_price(price_bound, demands, free, least):
    assert price_bound.least_usd_per_hour(work(price_bound, demands, free=free)) == pytest.approx(
        least, abs=1e-4
    )


def test_groups_count_with_all_their_bundles(price_bound):
    assert price_bound.least_usd_per_hour(work(price_bound, (), gangs=2)) == pytest.approx(8.0)


def test_too_few_nodes_for_the_requests_are_found_out(price_bound):
    three = work(price_bound, [({"CPU": 3}, 3)], free=(3,))
    assert price_bound.could_hold(three, {"small": 2})
    assert not price_bound.could_hold(three, {"small": 1})
