"""A budget: no launch takes the price of the fleet above it, and nothing is removed for it."""

from __future__ import annotations

from msgspec.structs import replace

from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, NodeType, Offering
from tests.planner.rules.rule import (
    AT_TYPE_MAX,
    LARGE,
    NEW_FOR_GANG,
    ON_NEW,
    ON_RUNNING,
    OVER_BUDGET,
    SMALL,
    Rule,
)
from tests.support.clusters import bundle, constraint, demand, gang, kind, spec, state, worker

FOUR = demand(1, CPU=4)
DEAR_HEAD = NodeType("head", offerings=(Offering(price_per_hour=0.15),))
QUARTER = kind("quarter", 0.25, CPU=4)


def _within(dollars: float, *kinds: NodeType, head: NodeType | None = None) -> ClusterSpec:
    cluster = replace(spec(*kinds, speed=9.0), budget_per_hour=dollars)
    types = {**cluster.node_types, "head": head or cluster.head}
    return replace(cluster, node_types=types)


RULES = [
    Rule(
        "a budget lets as many nodes start as it pays for",
        state(demands=[demand(3, CPU=4)]),
        _within(0.5, SMALL),
        launches={"small": 2},
        fates={ON_NEW: 2, OVER_BUDGET: 1},
        args={"now": 0.4, "max": 0.5, "price": 0.2},
    ),
    Rule(
        "a budget may be used to the last cent",
        state(demands=[demand(3, CPU=4)]),
        _within(0.6, SMALL),
        launches={"small": 3},
        fates={ON_NEW: 3},
    ),
    Rule(
        "what runs counts against the budget",
        state(worker(SMALL, "a"), demands=[FOUR]),
        _within(0.3, SMALL),
        fates={OVER_BUDGET: 1},
        args={"now": 0.2, "max": 0.3, "price": 0.2},
    ),
    Rule(
        "the head counts against the budget",
        state(demands=[FOUR]),
        _within(0.3, SMALL, head=DEAR_HEAD),
        fates={OVER_BUDGET: 1},
        args={"now": 0.15},
    ),
    *(
        Rule(
            f"a node that is {status.value} counts against the budget until it is gone",
            state(worker(SMALL, "a", status=status), demands=[FOUR]),
            _within(0.3, SMALL),
            fates={OVER_BUDGET: 1},
        )
        for status in (InstanceStatus.TERMINATING, InstanceStatus.LOST)
    ),
    Rule(
        "a node that is gone does not count against the budget",
        state(worker(SMALL, "a", status=InstanceStatus.TERMINATED), demands=[FOUR]),
        _within(0.3, SMALL),
        launches={"small": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "what the budget has left goes to a type that it still pays for",
        state(demands=[demand(8, CPU=4)]),
        _within(1.2, QUARTER, LARGE),
        launches={"large": 1, "quarter": 1},
        fates={ON_NEW: 5, OVER_BUDGET: 3},
        args={"now": 1.15, "price": 0.25},
    ),
    Rule(
        "room that is there costs nothing more",
        state(worker(SMALL, "a", idle_for=1), demands=[FOUR]),
        _within(0.1, SMALL),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "a type without a price counts by an estimate",
        state(demands=[demand(2, CPU=2)]),
        _within(0.1, kind("odd", None, CPU=2)),
        launches={"odd": 1},
        fates={ON_NEW: 1, OVER_BUDGET: 1},
        args={"price": 0.08},
    ),
    Rule(
        "a budget limits floors",
        state(),
        _within(0.5, kind("small", 0.2, CPU=4, min=3)),
        launches={"small": 2},
        fates={OVER_BUDGET: 1},
        args={"price": 0.2},
    ),
    Rule(
        "a placement group beyond the budget leaves the money to others",
        state(gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 3)], demands=[FOUR]),
        _within(0.5, SMALL),
        launches={"small": 1},
        fates={ON_NEW: 1, OVER_BUDGET: 1},
        args={"now": 0.0, "max": 0.5, "price": 0.6},
    ),
    Rule(
        "equal placement groups are placed as far as the budget goes",
        state(gangs=[gang("STRICT_SPREAD", *[bundle(CPU=4)] * 2, name=f"g{i}") for i in range(3)]),
        _within(0.9, SMALL),
        launches={"small": 4},
        fates={NEW_FOR_GANG: 2, OVER_BUDGET: 1},
        args={"now": 0.8, "price": 0.4},
    ),
    Rule(
        "request_resources beyond the budget launches nothing",
        state(constraints=[constraint(3, CPU=4)]),
        _within(0.5, SMALL),
        fates={OVER_BUDGET: 1},
        args={"price": 0.6},
    ),
    Rule(
        "a fleet above its budget stays as it is",
        state(worker(LARGE, "a"), worker(LARGE, "b", idle_for=1)),
        _within(0.1, LARGE),
    ),
    Rule(
        "a limit that binds is named before the budget",
        state(worker(SMALL, "a"), demands=[FOUR]),
        _within(0.2, kind("small", 0.2, CPU=4, max=1)),
        fates={AT_TYPE_MAX: 1},
    ),
]
