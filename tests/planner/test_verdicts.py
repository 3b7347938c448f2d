"""The table of node types: what is launched of each, what the others would have cost."""

from __future__ import annotations

import pytest

from raytui.autoscaler.planning.planner import plan
from raytui.model.plan import Memory, Plan, Verdict
from raytui.model.reason import Why, because
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState
from tests.planner import cases
from tests.support.clusters import NOW, bundle, constraint, demand, gang, kind, spec, state

SMALL = kind("small", 0.2, CPU=4)
LARGE = kind("large", 1.0, CPU=16)
GPU = kind("gpu", 1.2, CPU=8, GPU=1)


def _decide(world: ClusterState, cluster: ClusterSpec) -> Plan:
    return plan(world, cluster, Memory(), NOW)


def _verdicts(made: Plan) -> dict[str, Verdict]:
    return {verdict.node_type: verdict for verdict in made.verdicts}


def test_chosen_types_show_what_is_bought_of_each() -> None:
    made = _decide(
        state(demands=[demand(6, CPU=2), demand(1, CPU=1, GPU=1)]), spec(SMALL, LARGE, GPU)
    )
    # The GPU node takes three of the tasks beside its own.
    told = {
        name: (v.nodes, v.price_per_hour, v.price_per_request)
        for name, v in _verdicts(made).items()
        if v.chosen
    }
    assert told == {"gpu": (1, 1.2, 1.2 / 4), "small": (2, 0.4, pytest.approx(0.4 / 3))}


def test_waste_is_that_of_the_nodes_bought() -> None:
    made = _decide(state(demands=[demand(1, CPU=3), demand(1, GPU=1)]), spec(SMALL, GPU))
    chosen = {name: v.waste for name, v in _verdicts(made).items() if v.chosen}
    assert chosen == {"gpu": 0.0}

    made = _decide(state(demands=[demand(3, CPU=3)]), spec(SMALL, LARGE))
    assert _verdicts(made)["small"].waste == pytest.approx(1 / 4)


def test_what_a_placement_group_and_a_constraint_need_counts_too() -> None:
    groups = [gang("STRICT_SPREAD", bundle(CPU=2), bundle(CPU=2))]
    made = _decide(state(gangs=groups), spec(SMALL))
    assert _verdicts(made)["small"].waste == pytest.approx(1 / 2)

    made = _decide(state(constraints=[constraint(2, CPU=3)]), spec(SMALL))
    assert _verdicts(made)["small"].waste == pytest.approx(1 / 4)
    assert _verdicts(made)["small"].price_per_request == pytest.approx(0.2)


def test_the_others_show_what_they_alone_would_cost() -> None:
    large = _verdicts(_decide(state(demands=[demand(8, CPU=4)]), spec(SMALL, LARGE)))["large"]
    assert (large.fits, large.nodes, large.price_per_hour) == (8, 2, 2.0)
    assert large.reason == because(Why.DEARER, factor="1.2")


def test_a_type_that_takes_nothing_says_what_it_lacks_for_each_request() -> None:
    demands = [demand(1, CPU=8, GPU=1), demand(9, CPU=5), demand(1, (("zone", "in", ("b",)),))]
    made = _decide(state(demands=demands), spec(SMALL, GPU, kind("b", 3.0, labels={"zone": "b"})))
    lacks = {name: v.reason for name, v in _verdicts(made).items() if not v.fits}
    assert lacks == {"small": because(Why.DOES_NOT_FIT, what="zone in (b), CPU")}


def test_what_chosen_types_cost_is_what_the_plan_costs() -> None:
    for seed in range(60):
        case = cases.make(seed, gangs=2)
        made = _decide(case.state, case.spec)
        chosen = [v for v in made.verdicts if v.chosen]
        cost = sum(v.price_per_hour or 0.0 for v in chosen)
        assert cost == pytest.approx(made.cost_per_hour), case
        assert sum(v.nodes for v in chosen) == sum(launch.count for launch in made.launches)
        assert all(0 <= v.waste < 1 for v in chosen), case
