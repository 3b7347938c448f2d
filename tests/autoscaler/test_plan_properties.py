"""What holds for every state, however odd: the invariants of the plan."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from raytui.autoscaler.explain import explain, summarise
from raytui.autoscaler.planning.planner import plan
from raytui.model.codec import encode
from raytui.model.lifecycle import COUNTED, InstanceStatus
from raytui.model.plan import DrainUnderWay, FailureKind, Hold, LaunchFailure, Memory, Request
from raytui.model.reason import Reason, Why, because
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, SourceHealth
from tests.support.clusters import NOW, bundle, constraint, demand, gang, kind, spec, state, worker

counts = st.integers(0, 6)
KINDS = [
    kind("small", 0.2, CPU=4),
    kind("large", 0.9, CPU=16, memory=64e9, labels={"zone": "b"}),
    kind("gpu", 1.2, CPU=8, GPU=1, labels={"zone": "a"}),
    kind("odd", None, CPU=2, special=1),
]


@st.composite
def specs(draw: st.DrawFn) -> ClusterSpec:
    kinds = []
    for k in draw(st.lists(st.sampled_from(KINDS), min_size=1, unique_by=lambda k: k.name)):
        low = draw(st.integers(0, 3))
        kinds.append(
            msgspec.structs.replace(
                k, min_workers=low, max_workers=draw(st.integers(low, 8)), priority=draw(counts)
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
shapes = st.dictionaries(
    st.sampled_from(["CPU", "GPU", "memory", "special", "TPU"]),
    st.sampled_from([0.1, 0.5, 1, 3, 4, 20]),
    max_size=3,
)


@st.composite
def states(draw: st.DrawFn) -> ClusterState:
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
        for _ in range(draw(counts))
    ]
    gangs = [
        gang(
            draw(st.sampled_from(["PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"])),
            *[bundle(draw(selectors), **draw(shapes)) for _ in range(draw(st.integers(1, 4)))],
            name=f"g{index}",
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


@settings(max_examples=400, deadline=None)
@given(states(), specs(), memories())
def test_invariants(world: ClusterState, cluster: ClusterSpec, memory: Memory) -> None:
    made = plan(world, cluster, memory, NOW)
    members = {m.id: m for m in world.members}
    leaving = {r.instance_id for r in made.removals} | {d.instance_id for d in memory.drains}
    staying = [
        m for m in world.members if m.status in COUNTED and not m.is_head and m.id not in leaving
    ]
    launches = dict.fromkeys(cluster.node_types, 0)
    for launch in made.launches:
        assert launch.count > 0
        launches[launch.node_type] += launch.count

    # Never above max_workers, per type or in all.
    if sum(launches.values()):
        assert len(staying) + sum(launches.values()) <= cluster.max_workers
    for name, count in launches.items():
        there = sum(1 for m in staying if m.node_type == name)
        assert not count or there + count <= cluster.node_types[name].max_workers

    # Never the head, never a held node, never a busy one unless a limit was lowered.
    held = {h.instance_id for h in memory.holds}
    for removal in made.removals:
        member = members[removal.instance_id]
        assert not member.is_head
        assert member.id not in held
        if not removal.deadline:
            assert member.idle
            assert removal.reason.why is Why.IDLE_TIMEOUT
    assert len({r.instance_id for r in made.removals}) == len(made.removals)

    # A failing type is not launched; nothing acts when paused or blind.
    avoided = {f.node_type for f in memory.failures if f.retry_at > NOW}
    assert not avoided & {launch.node_type for launch in made.launches}
    if memory.paused_by or not world.complete:
        assert not made.acts

    # Every request is accounted for, to the last one.
    for shape in {(d.resources, d.selectors) for d in world.demands}:
        asked = sum(d.count for d in world.demands if d.resources == shape[0])
        told = sum(
            o.count for o in made.outcomes if o.kind is Request.DEMAND and o.resources == shape[0]
        )
        assert told == asked
    assert sum(o.kind is Request.GANG for o in made.outcomes) == len(world.gangs)

    # Every member has its reason, and every reason has words.
    assert [k.instance_id for k in made.kept] == sorted(m.id for m in world.members)
    reasons: list[Reason] = [k.reason for k in made.kept]
    reasons += [o.reason for o in made.outcomes] + [v.reason for v in made.verdicts]
    reasons += [r.reason for r in made.removals] + [launch.reason for launch in made.launches]
    for reason in reasons:
        words = explain(reason, NOW)
        assert words
        assert "?" not in words, (reason, words)
    assert summarise(made, NOW)


@settings(max_examples=60, deadline=None)
@given(states(), specs(), memories())
def test_planning_is_pure(world: ClusterState, cluster: ClusterSpec, memory: Memory) -> None:
    before = encode((world, cluster, memory))
    first = plan(world, cluster, memory, NOW)
    assert plan(world, cluster, memory, NOW) == first
    assert encode((world, cluster, memory)) == before
