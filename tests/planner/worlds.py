"""Made-up clusters for property tests: every status, every kind of request, limits that bind."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import DrainUnderWay, FailureKind, Hold, LaunchFailure, Memory
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import Bundle, ClusterState, SourceHealth
from tests.support.clusters import NOW, bundle, constraint, demand, gang, kind, spec, state, worker

few = st.integers(0, 6)
KINDS = [
    kind("small", 0.2, CPU=4),
    kind("large", 0.9, CPU=16, memory=64e9, labels={"zone": "b"}),
    kind("gpu", 1.2, CPU=8, GPU=1, labels={"zone": "a"}),
    kind("odd", None, CPU=2, special=1),
]


@st.composite
def specs(draw: st.DrawFn) -> ClusterSpec:
    """Some of KINDS, with limits that bind."""
    kinds = []
    for k in draw(st.lists(st.sampled_from(KINDS), min_size=1, unique_by=lambda k: k.name)):
        low = draw(st.integers(0, 3))
        kinds.append(
            msgspec.structs.replace(
                k, min_workers=low, max_workers=draw(st.integers(low, 8)), priority=draw(few)
            )
        )
    return spec(
        *kinds,
        max_workers=draw(st.integers(0, 12)),
        speed=draw(st.sampled_from([0.0, 0.5, 1.0, 9.0])),
        idle_s=draw(st.sampled_from([0.0, 60.0])),
    )


selectors = st.sampled_from(
    [(), (("zone", "in", ("a",)),), (("zone", "not-in", ("a",)),), (("rack", "in", ("9",)),)]
)
amounts = st.sampled_from([0.1, 0.5, 1, 3, 4, 20])
shapes = st.fixed_dictionaries(
    {},
    optional={
        "CPU": amounts,
        "GPU": amounts,
        "memory": amounts.map(lambda amount: amount * 4e9),
        "special": amounts,
        "TPU": amounts,
    },
)


ways = st.lists(st.builds(Bundle, shapes.map(Resources.of), selectors), min_size=1, max_size=3).map(
    tuple
)
"""Bundles that a placement group would take."""


@st.composite
def states(draw: st.DrawFn) -> ClusterState:
    """Clusters in all conditions, with all kinds of requests."""
    members = []
    for index in range(draw(st.integers(0, 10))):
        idle_for = draw(st.sampled_from([None, 1.0, 1000.0]))
        members.append(
            worker(
                draw(st.sampled_from(KINDS)),
                f"w{index}",
                idle_for=idle_for,
                used={"CPU": 1} if idle_for is None else None,
                status=draw(st.sampled_from(list(InstanceStatus))),
            )
        )
    demands = [
        demand(draw(st.integers(1, 40)), *([s] if (s := draw(selectors)) else []), **draw(shapes))
        for _ in range(draw(few))
    ]
    gangs = [
        gang(
            draw(st.sampled_from(["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"])),
            *[bundle(draw(selectors), **draw(shapes)) for _ in range(draw(st.integers(1, 4)))],
            name=f"g{index}",
            fallbacks=tuple(draw(st.lists(ways, max_size=2))) if draw(st.booleans()) else (),
        )
        for index in range(draw(st.integers(0, 3)))
    ]
    wanted = [constraint(draw(st.integers(1, 9)), **draw(shapes))] if draw(st.booleans()) else []
    ok = draw(st.sampled_from([True, True, True, False]))
    return state(
        *members,
        demands=demands,
        gangs=gangs,
        constraints=wanted,
        sources=(SourceHealth("gcs", ok=ok, last_ok_at=NOW - 9),),
    )


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    """What may have happened before."""
    ids = st.sampled_from([f"w{i}" for i in range(10)])
    drains = tuple(
        DrainUnderWay(i, NOW - 5, NOW + 60, because(Why.BY_COMMAND, by="ann"))
        for i in draw(st.sets(ids, max_size=2))
    )
    failed = tuple(
        LaunchFailure(name, FailureKind.CAPACITY, "no", NOW - 1, NOW + draw(st.integers(-5, 5)))
        for name in draw(st.sets(st.sampled_from(["small", "gpu"])))
    )
    return Memory(
        failures=failed,
        drains=drains,
        floors=draw(st.dictionaries(st.sampled_from(["small", "gpu"]), st.integers(0, 9))),
        holds=tuple(Hold(i, "ann") for i in draw(st.sets(ids, max_size=2))),
        paused_by=draw(st.sampled_from(["", "", "ann"])),
    )
