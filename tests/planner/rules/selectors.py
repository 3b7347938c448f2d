"""Label selectors and their fallbacks, of tasks and of bundles."""

from __future__ import annotations

from raytui.model.plan import FailureKind, LaunchFailure, Memory
from raytui.model.reason import Why
from raytui.model.state import Constraint
from tests.planner.rules.rule import (
    AT_TYPE_MAX,
    NEW_FOR_CONSTRAINT,
    NO_TYPE_LABELS,
    ON_NEW,
    ON_RUNNING,
    TOO_LARGE,
    Rule,
)
from tests.support.clusters import NOW, bundle, demand, kind, spec, state, worker

ALPHA = kind("alpha", 0.1, CPU=4, labels={"zone": "a"})
BETA = kind("beta", 0.5, CPU=4, labels={"zone": "b", "disk": "ssd"})
BARE = kind("bare", 0.2, CPU=4)
MARS = (("zone", "in", ("mars",)),)
IN_A = (("zone", "in", ("a",)),)
IN_B = (("zone", "in", ("b",)),)
NO_ALPHA_CAPACITY = LaunchFailure("alpha", FailureKind.CAPACITY, "none", NOW - 1, NOW + 60)

SELECTORS = [
    Rule(
        "In picks the type with the label",
        state(demands=[demand(1, (("zone", "in", ("b", "c")),), CPU=1)]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "NotIn avoids the label",
        state(demands=[demand(1, (("zone", "not-in", ("a",)),), CPU=1)]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "NotIn accepts a node without the label",
        state(demands=[demand(1, (("zone", "not-in", ("a", "b")),), CPU=1)]),
        spec(ALPHA, BETA, BARE),
        launches={"bare": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "In refuses a node without the label",
        state(worker(BARE, "x", idle_for=1), demands=[demand(1, IN_B, CPU=1)]),
        spec(BARE, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "all conditions of a selector must hold",
        state(demands=[demand(1, (("zone", "in", ("a", "b")), ("disk", "in", ("ssd",))), CPU=1)]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "a running node with the label takes the work",
        state(
            worker(ALPHA, "a", idle_for=1),
            worker(BETA, "b", idle_for=1),
            demands=[demand(2, IN_B, CPU=1)],
        ),
        spec(ALPHA, BETA),
        fates={ON_RUNNING: 2},
        kept={"a": Why.IDLE, "b": Why.EXPECTED},
    ),
    Rule(
        "a running node's own labels count, whatever its type says",
        state(
            worker(BARE, "x", idle_for=1, labels={"zone": "mars"}), demands=[demand(1, MARS, CPU=1)]
        ),
        spec(BARE),
        fates={ON_RUNNING: 1},
    ),
    Rule(
        "Ray's node group label names the type",
        state(demands=[demand(1, (("ray.io/node-group", "in", ("beta",)),), CPU=1)]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "labels that no type has are infeasible and are named",
        state(demands=[demand(3, MARS, CPU=1)]),
        spec(ALPHA, BETA),
        fates={NO_TYPE_LABELS: 3},
        args={"selector": "zone in (mars)"},
    ),
    Rule(
        "too large is told before labels that no type has",
        state(demands=[demand(1, MARS, CPU=64)]),
        spec(ALPHA, BETA),
        fates={TOO_LARGE: 1},
    ),
    Rule(
        "the labelled type too small for it is infeasible although another type is large enough",
        state(demands=[demand(1, IN_A, CPU=16)]),
        spec(ALPHA, kind("large", 0.9, CPU=16)),
        fates={NO_TYPE_LABELS: 1},
    ),
    Rule(
        "picky work is placed before easy work takes its node",
        state(
            worker(kind("alpha", 0.1, CPU=4, max=1, labels={"zone": "a"}), "a", idle_for=1),
            worker(BARE, "x", idle_for=1),
            demands=[demand(4, CPU=1), demand(4, IN_A, CPU=1)],
        ),
        spec(kind("alpha", 0.1, CPU=4, max=1, labels={"zone": "a"}), BARE),
        fates={ON_RUNNING: 8},
    ),
    Rule(
        "request_resources with a selector counts and launches only labelled nodes",
        state(worker(ALPHA, "a"), constraints=[Constraint(((bundle(IN_B, CPU=4), 1),))]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={NEW_FOR_CONSTRAINT: 1},
    ),
]

FALLBACKS = [
    Rule(
        "the first choice wins over a cheaper fallback",
        state(demands=[demand(1, IN_B, IN_A, CPU=1)]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "on running nodes too the first choice wins",
        state(
            worker(ALPHA, "a", idle_for=1),
            worker(BETA, "b", idle_for=1),
            demands=[demand(1, IN_B, IN_A, CPU=1)],
        ),
        spec(ALPHA, BETA),
        fates={ON_RUNNING: 1},
        kept={"a": Why.IDLE, "b": Why.EXPECTED},
    ),
    Rule(
        "a running node that satisfies a fallback is used before the first choice is launched",
        state(worker(ALPHA, "a", idle_for=1), demands=[demand(1, IN_B, IN_A, CPU=1)]),
        spec(ALPHA, BETA),
        fates={ON_RUNNING: 1},
        kept={"a": Why.EXPECTED},
    ),
    Rule(
        "a fallback is taken when no type has the first choice",
        state(demands=[demand(1, MARS, IN_B, CPU=1)]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "fallbacks are tried in order",
        state(demands=[demand(1, MARS, IN_B, IN_A, CPU=1)]),
        spec(ALPHA, BETA),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "a fallback is taken when the first choice's type is full",
        state(demands=[demand(2, IN_A, IN_B, CPU=4)]),
        spec(kind("alpha", 0.1, CPU=4, max=1, labels={"zone": "a"}), BETA),
        launches={"alpha": 1, "beta": 1},
        fates={ON_NEW: 2},
    ),
    Rule(
        "a fallback is taken when the first choice's type fails",
        state(demands=[demand(1, IN_A, IN_B, CPU=1)]),
        spec(ALPHA, BETA),
        Memory(failures=(NO_ALPHA_CAPACITY,)),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "a fallback is taken when the first choice's type is too small",
        state(demands=[demand(1, IN_A, IN_B, CPU=8)]),
        spec(ALPHA, kind("beta", 0.5, CPU=8, labels={"zone": "b"})),
        launches={"beta": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "an empty last fallback means anywhere",
        state(demands=[demand(1, MARS, (), CPU=1)]),
        spec(ALPHA, BETA),
        launches={"alpha": 1},
        fates={ON_NEW: 1},
    ),
    Rule(
        "every fallback failing is infeasible and all are named",
        state(demands=[demand(1, MARS, (("zone", "in", ("venus",)),), CPU=1)]),
        spec(ALPHA, BETA),
        fates={NO_TYPE_LABELS: 1},
        args={"selector": "zone in (mars) or zone in (venus)"},
    ),
    Rule(
        "a fallback whose type is full leaves the work blocked, not infeasible",
        state(demands=[demand(1, MARS, IN_A, CPU=1)]),
        spec(kind("alpha", 0.1, CPU=4, max=0, labels={"zone": "a"})),
        fates={AT_TYPE_MAX: 1},
    ),
]

RULES = [*SELECTORS, *FALLBACKS]
