"""request_resources: against totals as if idle, all or nothing, and what it keeps."""

from __future__ import annotations

from raytui.model.lifecycle import InstanceStatus
from raytui.model.reason import Why
from raytui.model.state import Constraint
from tests.planner.rules.rule import (
    AT_TYPE_MAX,
    GPU,
    NEW_FOR_CONSTRAINT,
    NO_TYPE_HAS,
    SMALL,
    TOO_LARGE,
    Rule,
)
from tests.support.clusters import bundle, by_hand, constraint, kind, spec, state, worker

RULES = [
    Rule(
        "request_resources counts the total of a busy node",
        state(worker(SMALL, "a"), constraints=[constraint(4, CPU=1)]),
        spec(SMALL),
    ),
    Rule(
        "request_resources counts a node that starts",
        state(
            worker(SMALL, "a", status=InstanceStatus.REQUESTED), constraints=[constraint(4, CPU=1)]
        ),
        spec(SMALL),
    ),
    Rule(
        "request_resources counts the head's CPUs",
        state(constraints=[constraint(4, CPU=1)], head_has={"CPU": 4}),
        spec(SMALL),
    ),
    Rule(
        "request_resources counts a node that joined by hand",
        state(by_hand(worker(SMALL, "a")), constraints=[constraint(4, CPU=1)]),
        spec(SMALL),
    ),
    Rule(
        "request_resources counts what min_workers launch",
        state(constraints=[constraint(4, CPU=1)]),
        spec(kind("small", 0.2, CPU=4, min=1)),
        launches={"small": 1},
    ),
    Rule(
        "request_resources launches only what is missing",
        state(worker(SMALL, "a"), constraints=[constraint(12, CPU=1)]),
        spec(SMALL),
        launches={"small": 2},
        fates={NEW_FOR_CONSTRAINT: 1},
    ),
    Rule(
        "request_resources is all or nothing",
        state(constraints=[constraint(4, CPU=4)]),
        spec(kind("small", 0.2, CPU=4, max=3)),
        fates={AT_TYPE_MAX: 1},
    ),
    Rule(
        "request_resources of several shapes",
        state(constraints=[Constraint(((bundle(CPU=1), 4), (bundle(GPU=1), 2)))]),
        spec(SMALL, GPU),
        launches={"gpu": 2},
        fates={NEW_FOR_CONSTRAINT: 1},
    ),
    Rule(
        "request_resources of several shapes is all or nothing over all of them",
        state(constraints=[Constraint(((bundle(CPU=1), 4), (bundle(TPU=1), 1)))]),
        spec(SMALL, GPU),
        fates={NO_TYPE_HAS: 1},
    ),
    Rule(
        "request_resources larger than any node is infeasible",
        state(constraints=[constraint(1, CPU=64)]),
        spec(SMALL),
        fates={TOO_LARGE: 1},
    ),
    Rule(
        "request_resources keeps the idle nodes it needs and no more",
        state(
            worker(SMALL, "a", idle_for=900),
            worker(SMALL, "b", idle_for=800),
            constraints=[constraint(4, CPU=1)],
        ),
        spec(SMALL),
        removals=("a",),
        kept={"b": Why.FOR_CONSTRAINT},
    ),
    Rule(
        "request_resources that cannot be kept keeps no idle node",
        state(worker(SMALL, "a", idle_for=900), constraints=[constraint(1, TPU=1)]),
        spec(SMALL),
        removals=("a",),
        fates={NO_TYPE_HAS: 1},
    ),
    Rule(
        "request_resources prefers the busy node, so the idle one may leave",
        state(
            worker(SMALL, "idle", idle_for=900),
            worker(SMALL, "busy"),
            constraints=[constraint(4, CPU=1)],
        ),
        spec(SMALL),
        removals=("idle",),
        kept={"busy": Why.BUSY},
    ),
]
