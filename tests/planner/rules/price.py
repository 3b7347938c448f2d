"""Which type is bought: the cheapest mix, then fewer nodes, then priority, then file order."""

from __future__ import annotations

from msgspec import structs

from raytui.model.spec import ClusterSpec
from tests.planner.rules.rule import GPU, LARGE, ON_NEW, SMALL, Rule
from tests.support.clusters import demand, kind, spec, state

COST = [
    Rule(
        "the cheapest type is launched",
        state(demands=[demand(16, CPU=1)]),
        spec(SMALL, LARGE, GPU),
        launches={"small": 4},
        fates={ON_NEW: 16},
    ),
    Rule(
        "a large node wins when it is cheaper for the same work",
        state(demands=[demand(16, CPU=1)]),
        spec(SMALL, kind("large", 0.50, CPU=16)),
        launches={"large": 1},
        fates={ON_NEW: 16},
    ),
    Rule(
        "no GPU machine is filled by one GPU task (Ray takes the largest)",
        state(demands=[demand(4, GPU=1)]),
        spec(kind("h100", 50.0, CPU=96, GPU=8), kind("a10", 1.0, CPU=8, GPU=1)),
        launches={"a10": 4},
        fates={ON_NEW: 4},
    ),
    Rule(
        "what is left over goes to the smaller type",
        state(demands=[demand(18, CPU=1)]),
        spec(kind("large", 0.60, CPU=16), SMALL),
        launches={"large": 1, "small": 1},
        fates={ON_NEW: 18},
    ),
    Rule(
        "at equal price per CPU fewer nodes win",
        state(demands=[demand(16, CPU=1)]),
        spec(SMALL, kind("large", 0.80, CPU=16)),
        launches={"large": 1},
        fates={ON_NEW: 16},
    ),
    Rule(
        "at equal price the higher priority wins",
        state(demands=[demand(4, CPU=1)]),
        spec(kind("one", 0.2, CPU=4), kind("two", 0.2, CPU=4, priority=5)),
        launches={"two": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "priority does not win over price",
        state(demands=[demand(4, CPU=1)]),
        spec(kind("one", 0.2, CPU=4), kind("two", 0.3, CPU=4, priority=5)),
        launches={"one": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "priority does not win over fewer nodes",
        state(demands=[demand(16, CPU=1)]),
        spec(kind("small", 0.20, CPU=4, priority=5), kind("large", 0.80, CPU=16)),
        launches={"large": 1},
        fates={ON_NEW: 16},
    ),
    Rule(
        "at equal everything the name decides, not the order of the file",
        state(demands=[demand(4, CPU=1)]),
        spec(kind("zeta", 0.2, CPU=4), kind("alpha", 0.2, CPU=4)),
        launches={"alpha": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "without prices the smallest fleet is launched",
        state(demands=[demand(4, CPU=1)]),
        spec(kind("large", CPU=64), kind("small", CPU=4)),
        launches={"small": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "without prices GPUs are worth more than CPUs",
        state(demands=[demand(4, CPU=1)]),
        spec(kind("gpu", CPU=4, GPU=1), kind("cpu", CPU=8)),
        launches={"cpu": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "a type that is free of charge is taken first",
        state(demands=[demand(4, CPU=1)]),
        spec(SMALL, kind("own", 0.0, CPU=4)),
        launches={"own": 1},
        fates={ON_NEW: 4},
    ),
    Rule(
        "shapes that complement each other share a node",
        state(demands=[demand(2, CPU=6, memory=1e9), demand(2, CPU=1, memory=14e9)]),
        spec(kind("box", 0.4, CPU=8, memory=16e9)),
        launches={"box": 2},
        fates={ON_NEW: 4},
    ),
    Rule(
        "two that fill a node exactly are not kept apart by a third",
        state(demands=[demand(2, CPU=3), demand(2, CPU=5)]),
        spec(kind("box", 0.4, CPU=8)),
        launches={"box": 2},
        fates={ON_NEW: 4},
    ),
]

LEAN = kind("lean", 0.50, CPU=4)
ROOMY = kind("roomy", 0.30, CPU=5, priority=-1)
MACHINE = kind("machine", 2.00, CPU=32, priority=9)


def _by(*policies: str) -> ClusterSpec:
    return structs.replace(spec(LEAN, ROOMY, MACHINE), expander=policies)


EXPANDERS = [
    Rule(
        f"the expander {' then '.join(policies)} takes {node_type}",
        state(demands=[demand(4, CPU=1)]),
        _by(*policies),
        launches={node_type: 1},
        fates={ON_NEW: 4},
    )
    for policies, node_type in (
        (("price",), "roomy"),
        (("priority",), "machine"),
        (("least-waste",), "lean"),
        (("fewest-nodes",), "roomy"),
        (("fewest-nodes", "priority"), "machine"),
    )
]

FEWEST = Rule(
    "the expander fewest-nodes takes the type that serves most with one node",
    state(demands=[demand(20, CPU=1)]),
    _by("fewest-nodes"),
    launches={"machine": 1},
    fates={ON_NEW: 20},
)

RULES = [*COST, *EXPANDERS, FEWEST]
