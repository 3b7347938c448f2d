"""Amounts and names: fractions, custom and implicit resources, what can never be."""

from __future__ import annotations

from tests.planner.rules.rule import (
    AT_TYPE_MAX,
    GPU,
    LARGE,
    NO_TYPE_HAS,
    ON_NEW,
    ON_RUNNING,
    SMALL,
    TOO_LARGE,
    Rule,
)
from tests.support.clusters import demand, kind, spec, state, worker

T4 = kind("t4", 0.6, CPU=4, GPU=1, **{"accelerator_type:T4": 1})
V100 = kind("v100", 0.5, CPU=4, GPU=1, **{"accelerator_type:V100": 1})
AT_10 = "node:10.0.0.1"
ON_HEAD = "node:__internal_head__"
IMPLICIT_X = "node:__internal_implicit_resource_x"

AMOUNTS = [
    Rule(
        "ten tenths of a GPU are one GPU",
        state(demands=[demand(10, GPU=0.1)]),
        spec(GPU),
        launches={"gpu": 1},
        fates={ON_NEW: 10},
    ),
    Rule(
        "an eleventh tenth needs a second one",
        state(demands=[demand(11, GPU=0.1)]),
        spec(GPU),
        launches={"gpu": 2},
        fates={ON_NEW: 11},
    ),
    Rule(
        "fractions do not drift on a node that is used by fractions",
        state(worker(GPU, "g", used={"GPU": 0.7, "CPU": 1}), demands=[demand(3, GPU=0.1)]),
        spec(GPU),
        fates={ON_RUNNING: 3},
    ),
    Rule(
        "three of 0.3334 do not fit into one",
        state(demands=[demand(3, CPU=0.3334)]),
        spec(kind("one", 0.1, CPU=1)),
        launches={"one": 2},
        fates={ON_NEW: 3},
    ),
    Rule(
        "custom resources are resources",
        state(demands=[demand(3, CPU=1, licence=1)]),
        spec(SMALL, kind("lab", 2.0, CPU=4, licence=2)),
        launches={"lab": 2},
        fates={ON_NEW: 3},
    ),
    Rule(
        "memory that only running nodes tell of counts for new ones",
        state(worker(SMALL, "a", also={"memory": 8e9}), demands=[demand(2, memory=8e9)]),
        spec(SMALL),
        launches={"small": 1},
        fates={ON_RUNNING: 1, ON_NEW: 1},
    ),
    Rule(
        "memory binds where CPUs do not",
        state(demands=[demand(4, CPU=1, memory=8e9)]),
        spec(kind("thin", 0.2, CPU=4, memory=16e9)),
        launches={"thin": 2},
        fates={ON_NEW: 4},
    ),
    Rule(
        "an actor that wants nothing fits on the head",
        state(demands=[demand(3)]),
        spec(SMALL),
        fates={ON_RUNNING: 3},
    ),
]

IMPLICIT = [
    Rule(
        "node:<ip> is room on that running node",
        state(
            worker(SMALL, "a", idle_for=1, also={AT_10: 1}), demands=[demand(1, **{AT_10: 0.001})]
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "node:<ip> that is full waits; a new node would have another address",
        state(worker(SMALL, "a", also={AT_10: 1}), demands=[demand(1, CPU=1, **{AT_10: 0.001})]),
        spec(SMALL),
        fates={NO_TYPE_HAS: 1},
        args={"resource": AT_10},
    ),
    Rule(
        "Ray's implicit resources are one on every node, though none lists them",
        state(worker(SMALL, "a", idle_for=1), demands=[demand(3, CPU=1, **{IMPLICIT_X: 1})]),
        spec(SMALL),
        launches={"small": 2},
        fates={ON_RUNNING: 1, ON_NEW: 2},
    ),
    Rule(
        "what is pinned to the head waits for the head",
        state(
            demands=[demand(1, CPU=1, **{ON_HEAD: 0.001})],
            head_has={"CPU": 1, ON_HEAD: 1},
        ),
        spec(SMALL),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "accelerator_type picks the type that states it, though it is dearer",
        state(demands=[demand(1, GPU=1, **{"accelerator_type:T4": 0.001})]),
        spec(V100, T4),
        launches={"t4": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "accelerator_type that running nodes have counts for new ones of their type",
        state(
            worker(GPU, "g", also={"accelerator_type:A10": 1}),
            demands=[demand(1, GPU=1, **{"accelerator_type:A10": 0.001})],
        ),
        spec(GPU, T4),
        launches={"gpu": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "a thousand thousandths of an accelerator_type are no limit beside the GPU",
        state(demands=[demand(4, CPU=1, GPU=0.25, **{"accelerator_type:T4": 0.001})]),
        spec(T4),
        launches={"t4": 1},
        fates={ON_NEW: 4},
    ),
]

INFEASIBLE = [
    Rule(
        "a resource that no type has is infeasible",
        state(demands=[demand(2, TPU=1)]),
        spec(SMALL),
        fates={NO_TYPE_HAS: 2},
        args={"resource": "TPU"},
    ),
    Rule(
        "more than the largest type has is infeasible, with the nearest type",
        state(demands=[demand(1, CPU=32)]),
        spec(SMALL, LARGE),
        fates={TOO_LARGE: 1},
        args={"resource": "CPU", "wanted": 32, "most": 16, "node_type": "large"},
    ),
    Rule(
        "each resource fits on some type but not together: infeasible",
        state(demands=[demand(1, CPU=16, GPU=1)]),
        spec(LARGE, GPU),
        fates={TOO_LARGE: 1},
    ),
    Rule(
        "infeasible stays infeasible in a full cluster",
        state(worker(SMALL, "a"), demands=[demand(1, CPU=32), demand(1, CPU=1)]),
        spec(kind("small", 0.2, CPU=4, max=1)),
        fates={TOO_LARGE: 1, AT_TYPE_MAX: 1},
    ),
    Rule(
        "infeasible demand takes nothing from the feasible",
        state(demands=[demand(5, TPU=1), demand(4, CPU=1)]),
        spec(SMALL),
        launches={"small": 1},
        fates={NO_TYPE_HAS: 5, ON_NEW: 4},
    ),
]

RULES = [*AMOUNTS, *IMPLICIT, *INFEASIBLE]
