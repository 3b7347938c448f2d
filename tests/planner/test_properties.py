"""What holds for every state, however odd: the invariants of the plan."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from raytui.autoscaler.explain import explain, summarise
from raytui.autoscaler.planning.planner import DEFAULT_BUDGET, plan
from raytui.model.codec import encode
from raytui.model.lifecycle import COUNTED, InstanceStatus
from raytui.model.plan import Memory, Plan, Request, Wait
from raytui.model.reason import Reason, Why
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType
from raytui.model.state import Bundle, ClusterState, Instance, Member
from tests.planner import cases
from tests.planner.worlds import KINDS, memories, specs, states
from tests.support.clusters import NOW, worker

T = TypeVar("T")


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
    asked: Counter[Any] = Counter()
    for d in world.demands:
        asked[d.resources, d.selectors] += d.count
    told: Counter[Any] = Counter()
    for o in made.outcomes:
        assert o.count > 0
        if o.kind is Request.DEMAND:
            told[o.resources, o.selectors] += o.count
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


@settings(max_examples=150, deadline=None)
@given(states(), specs(), memories(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(
    world: ClusterState, cluster: ClusterSpec, memory: Memory, chance: random.Random
) -> None:
    shuffled = plan(
        _world_shuffled(world, chance),
        _spec_shuffled(cluster, chance),
        _memory_shuffled(memory, chance),
        NOW,
    )
    assert encode(shuffled) == encode(plan(world, cluster, memory, NOW))


@settings(max_examples=80, deadline=None)
@given(states(), specs(), memories())
def test_how_a_demand_is_split_into_counts_changes_nothing(
    world: ClusterState, cluster: ClusterSpec, memory: Memory
) -> None:
    halves = [
        replace(demand, count=count)
        for demand in world.demands
        for count in (demand.count - demand.count // 2, demand.count // 2)
        if count
    ]
    split = plan(replace(world, demands=tuple(halves)), cluster, memory, NOW)
    assert encode(split) == encode(plan(world, cluster, memory, NOW))


@settings(max_examples=200, deadline=None)
@given(states(), specs(), memories())
def test_nodes_that_leave_hold_nothing(
    world: ClusterState, cluster: ClusterSpec, memory: Memory
) -> None:
    """Requests are told the same, and the same is launched, as if those nodes were gone."""
    made = plan(world, cluster, memory, NOW)
    leaving = {drain.instance_id for drain in memory.drains}
    leaving |= {r.instance_id for r in made.removals if r.reason.why is not Why.IDLE_TIMEOUT}
    there = [m for m in world.members if m.status in COUNTED and m.id not in leaving]
    without = plan(replace(world, members=tuple(there)), cluster, memory, NOW)
    assert without.launches == made.launches
    assert without.outcomes == made.outcomes


@settings(max_examples=200, deadline=None)
@given(states(), specs(), memories(), st.sampled_from(KINDS))
def test_one_more_node_never_leaves_more_demand_unplaced(
    world: ClusterState, cluster: ClusterSpec, memory: Memory, kind: NodeType
) -> None:
    """An empty node, and limits raised for it. Without groups: these would be served first."""
    assume(kind.name in cluster.node_types)
    world = replace(world, gangs=(), constraints=())
    added, more = _with_one_more(world, cluster, kind)
    assert _unplaced(plan(added, more, memory, NOW)) <= _unplaced(plan(world, cluster, memory, NOW))


@settings(max_examples=300, deadline=None)
@given(states(), specs(), memories())
def test_a_plan_carried_out_and_planned_again_is_done(
    world: ClusterState, cluster: ClusterSpec, memory: Memory
) -> None:
    """The second plan launches nothing more and removes nothing of what the first launched."""
    first = plan(world, cluster, memory, NOW)
    again = plan(_carried_out(world, first), cluster, memory, NOW)
    assert again.launches == ()
    assert not [r for r in again.removals if r.instance_id.startswith("new")]


@pytest.mark.parametrize("budget", [DEFAULT_BUDGET, 0])
@pytest.mark.parametrize("tight", [False, True], ids=["loose", "tight"])
def test_packing_problems_planned_again_are_done(tight: bool, budget: int) -> None:
    for seed in range(100):
        case = cases.make(seed, tight=tight)
        first = plan(case.state, case.spec, Memory(), NOW, budget)
        again = plan(_carried_out(case.state, first), case.spec, Memory(), NOW, budget)
        assert again.launches == (), case
        assert _unplaced(again) <= _unplaced(first), case


@pytest.mark.parametrize("budget", [DEFAULT_BUDGET, 0])
@pytest.mark.parametrize("tight", [False, True], ids=["loose", "tight"])
def test_packing_problems_with_groups_come_to_rest(tight: bool, budget: int) -> None:
    for seed in range(100):
        case = cases.make(seed, tight=tight, gangs=3)
        first = plan(case.state, case.spec, Memory(), NOW, budget)
        second = plan(_carried_out(case.state, first), case.spec, Memory(), NOW, budget)
        assert second.launches == (), case
        assert _unplaced(second) <= _unplaced(first), case


@pytest.mark.parametrize("tight", [False, True], ids=["loose", "tight"])
def test_packing_problems_with_many_equal_groups_come_to_rest(tight: bool) -> None:
    for seed in range(100, 130):
        case = cases.make(seed, tight=tight, gangs=3)
        named = [(g, f"{g.gang_id}-{i:02}") for g in case.state.gangs for i in range(12)]
        state = replace(case.state, gangs=tuple(replace(g, gang_id=name) for g, name in named))
        cluster = replace(case.spec, max_workers=case.spec.max_workers + seed % 30)
        first = plan(state, cluster, Memory(), NOW, 0)
        second = plan(_carried_out(state, first), cluster, Memory(), NOW, 0)
        assert second.launches == (), case
        assert _groups_left(second) <= _groups_left(first), case


@pytest.mark.parametrize("tight", [False, True], ids=["loose", "tight"])
def test_packing_problems_with_one_more_node_lose_nothing(tight: bool) -> None:
    for seed in range(60):
        case = cases.make(seed, tight=tight)
        before = _unplaced(plan(case.state, case.spec, Memory(), NOW))
        for kind in case.kinds:
            world, cluster = _with_one_more(case.state, case.spec, kind)
            assert _unplaced(plan(world, cluster, Memory(), NOW)) <= before, (case, kind.name)


@pytest.mark.parametrize(("seed", "running"), [(957, 3), (1807, 8)])
def test_the_tightest_room_is_left_where_another_request_needs_it(seed: int, running: int) -> None:
    """Limits bind, and only existing and new nodes chosen together serve as much as before."""
    case = cases.make(seed, tight=True, running=running)
    before = _unplaced(plan(case.state, case.spec, Memory(), NOW))
    for kind in case.kinds:
        world, cluster = _with_one_more(case.state, case.spec, kind)
        assert _unplaced(plan(world, cluster, Memory(), NOW)) <= before, kind.name


def _unplaced(made: Plan) -> int:
    lost = (Wait.BLOCKED, Wait.INFEASIBLE)
    return sum(o.count for o in made.outcomes if o.kind is Request.DEMAND and o.wait in lost)


def _groups_left(made: Plan) -> int:
    lost = (Wait.BLOCKED, Wait.INFEASIBLE)
    return sum(o.kind is Request.GANG and o.wait in lost for o in made.outcomes)


def _with_one_more(
    world: ClusterState, cluster: ClusterSpec, kind: NodeType
) -> tuple[ClusterState, ClusterSpec]:
    """An empty node of a type more, and limits raised by it."""
    raised = {
        name: replace(k, max_workers=k.max_workers + (name == kind.name))
        for name, k in cluster.node_types.items()
    }
    return (
        replace(world, members=(*world.members, worker(kind, "x0", idle_for=1.0))),
        replace(cluster, max_workers=cluster.max_workers + 1, node_types=raised),
    )


def _carried_out(world: ClusterState, made: Plan, name: str = "new") -> ClusterState:
    """The cluster when the launched nodes start and none of the removed ones is gone yet."""
    requested = InstanceStatus.REQUESTED
    starting = [
        Member(Instance(f"{name}-{n}-{i}", launch.node_type, requested, meant_for=holding))
        for n, launch in enumerate(made.launches)
        for i, holding in enumerate(launch.holdings())
    ]
    return replace(world, members=(*world.members, *starting))


def _dict_shuffled(items: Mapping[str, T], chance: random.Random) -> dict[str, T]:
    names = list(items)
    chance.shuffle(names)
    return {name: items[name] for name in names}


def _shuffled(items: tuple[T, ...], chance: random.Random) -> tuple[T, ...]:
    return tuple(chance.sample(items, len(items)))


def _amounts_shuffled(amounts: Resources, chance: random.Random) -> Resources:
    return Resources(_dict_shuffled(dict(amounts.items()), chance))


def _bundle_shuffled(bundle: Bundle, chance: random.Random) -> Bundle:
    return replace(bundle, resources=_amounts_shuffled(bundle.resources, chance))


def _bundles_shuffled(bundles: tuple[Bundle, ...], chance: random.Random) -> tuple[Bundle, ...]:
    return _shuffled(tuple(_bundle_shuffled(bundle, chance) for bundle in bundles), chance)


def _member_shuffled(member: Member, chance: random.Random) -> Member:
    node = member.node
    if node is None:
        return member
    shuffled = replace(
        node,
        total=_amounts_shuffled(node.total, chance),
        available=_amounts_shuffled(node.available, chance),
        labels=_dict_shuffled(node.labels, chance),
    )
    return replace(member, node=shuffled)


def _world_shuffled(world: ClusterState, chance: random.Random) -> ClusterState:
    demands = [replace(d, resources=_amounts_shuffled(d.resources, chance)) for d in world.demands]
    gangs = [
        replace(
            g,
            bundles=_bundles_shuffled(g.bundles, chance),
            fallbacks=tuple(_bundles_shuffled(way, chance) for way in g.fallbacks),
        )
        for g in world.gangs
    ]
    constraints = [
        replace(
            c,
            bundles=_shuffled(
                tuple((_bundle_shuffled(b, chance), count) for b, count in c.bundles), chance
            ),
        )
        for c in world.constraints
    ]
    return replace(
        world,
        members=_shuffled(tuple(_member_shuffled(m, chance) for m in world.members), chance),
        demands=_shuffled(tuple(demands), chance),
        gangs=_shuffled(tuple(gangs), chance),
        constraints=_shuffled(tuple(constraints), chance),
    )


def _spec_shuffled(cluster: ClusterSpec, chance: random.Random) -> ClusterSpec:
    kinds = {
        name: replace(
            k,
            resources=_amounts_shuffled(k.resources, chance),
            labels=_dict_shuffled(k.labels, chance),
            offerings=_shuffled(k.offerings, chance),
        )
        for name, k in cluster.node_types.items()
    }
    return replace(cluster, node_types=_dict_shuffled(kinds, chance))


def _memory_shuffled(memory: Memory, chance: random.Random) -> Memory:
    return replace(
        memory,
        failures=_shuffled(memory.failures, chance),
        drains=_shuffled(memory.drains, chance),
        holds=_shuffled(memory.holds, chance),
        floors=_dict_shuffled(memory.floors, chance),
    )
