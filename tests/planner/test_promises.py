"""Nothing is overcommitted: all that a plan says has a place fits there, all of it at once.

An exact solver looks for the places; a plan that promised one node twice leaves it none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from raytui.autoscaler.planning.planner import plan
from raytui.model.lifecycle import COUNTED, STARTING, InstanceStatus
from raytui.model.plan import Memory, Outcome, Plan, Request, Wait
from raytui.model.resources import EMPTY, Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import (
    ClusterState,
    Constraint,
    Gang,
    LabelSelector,
    Member,
    NodeStatus,
    Strategy,
)
from tests.planner import cases, exact
from tests.planner.worlds import memories, specs, states
from tests.support.clusters import NOW

STAGES = (Wait.RAY, Wait.STARTING, Wait.LAUNCH)


@settings(max_examples=150, deadline=None)
@given(states(), specs(), memories())
def test_promises_hold_in_odd_clusters(
    world: ClusterState, cluster: ClusterSpec, memory: Memory
) -> None:
    _check(world, cluster, memory)


@pytest.mark.parametrize("tight", [False, True], ids=["loose", "tight"])
def test_promises_hold_in_packing_problems(tight: bool) -> None:
    for seed in range(60):
        case = cases.make(seed, tight=tight, gangs=3)
        _check(case.state, case.spec, Memory())


@settings(max_examples=150, deadline=None)
@given(states(), specs(), memories())
def test_new_nodes_have_room_for_all_that_they_are_meant_for(
    world: ClusterState, cluster: ClusterSpec, memory: Memory
) -> None:
    for launch in plan(world, cluster, memory, NOW).launches:
        room = cluster.node_types[launch.node_type].resources
        assert sum(nodes for nodes, _ in launch.fills) <= launch.count
        for _, holding in launch.fills:
            meant = EMPTY
            for share in holding:
                meant += share.resources * share.count
            assert meant.fits(room), launch


def test_bundles_that_are_to_be_apart_are_meant_for_nodes_of_their_own() -> None:
    for seed in range(200):
        case = cases.make(seed, gangs=3)
        apart = {g.gang_id for g in case.state.gangs if g.strategy is Strategy.STRICT_SPREAD}
        for launch in plan(case.state, case.spec, Memory(), NOW, 0).launches:
            for _, holding in launch.fills:
                bundles: Counter[str] = Counter()
                for share in holding:
                    bundles[share.gang] += share.count
                assert all(bundles[name] <= 1 for name in apart), launch


def _check(world: ClusterState, cluster: ClusterSpec, memory: Memory) -> None:
    made = plan(world, cluster, memory, NOW)
    places = _places(world, cluster, memory, made)
    items = [*_demand_items(made, places), *_gang_items(world, made, places)]
    assert exact.cheapest(items, [place for _, place in places], 0) is not None, made.outcomes
    unmet = any(o.kind is Request.CONSTRAINT and o.wait not in STAGES for o in made.outcomes)
    acts = world.complete and not memory.paused_by
    for constraint in world.constraints if acts and not unmet else ():
        _check_constraint(constraint, world, cluster, memory, made)


def _check_constraint(
    constraint: Constraint, world: ClusterState, cluster: ClusterSpec, memory: Memory, made: Plan
) -> None:
    """Against totals: as if every node were idle."""
    totals = [place for _, place in _places(world, cluster, memory, made, totals=True)]
    items = [
        exact.Item(bundle.resources, count, _any_of(bundle.selector))
        for bundle, count in constraint.bundles
    ]
    assert exact.cheapest(items, totals, 0) is not None, made.launches


Places = list[tuple[Wait, exact.Place]]
"""Nodes, and the stage they are at."""


def _places(
    world: ClusterState, cluster: ClusterSpec, memory: Memory, made: Plan, *, totals: bool = False
) -> Places:
    """What is there without what leaves, what starts, and what the plan launches, empty."""
    leaving = {d.instance_id for d in memory.drains} | {r.instance_id for r in made.removals}
    places: Places = []
    for member in world.members:
        if member.id in leaving or member.status not in COUNTED:
            continue
        if member.status in STARTING:
            places += [(Wait.STARTING, p) for p in _empty(cluster, member.node_type, 1)]
        elif _alive(member) and member.node is not None:
            room = member.node.total if totals else member.node.available
            places.append((Wait.RAY, exact.Place(room, member.node.labels)))
    for launch in made.launches:
        places += [(Wait.LAUNCH, p) for p in _empty(cluster, launch.node_type, launch.count)]
    return places


def _alive(member: Member) -> bool:
    dying = (NodeStatus.DRAINING, NodeStatus.DEAD)
    running = member.status is InstanceStatus.RUNNING
    return running and member.node is not None and member.node.status not in dying


def _empty(cluster: ClusterSpec, node_type: str, count: int) -> list[exact.Place]:
    kind = cluster.node_types.get(node_type)
    if kind is None:
        return []
    labels = {"ray.io/node-group": node_type, **kind.labels}
    return [exact.Place(kind.resources, labels)] * count


def _on(places: Places, stages: Iterable[Wait]) -> frozenset[int]:
    wanted = tuple(stages)
    return frozenset(i for i, (stage, _) in enumerate(places) if stage in wanted)


def _demand_items(made: Plan, places: Places) -> list[exact.Item]:
    told: Counter[tuple[Resources, tuple[LabelSelector, ...], Wait]] = Counter()
    for outcome in made.outcomes:
        if outcome.kind is Request.DEMAND and outcome.wait in STAGES:
            told[outcome.resources, outcome.selectors, outcome.wait] += outcome.count
    return [
        exact.Item(shape, count, selectors, _on(places, (stage,)))
        for (shape, selectors, stage), count in told.items()
    ]


def _gang_items(world: ClusterState, made: Plan, places: Places) -> list[exact.Item]:
    items = []
    for gang in world.gangs:
        outcome = _outcome_of(gang, made)
        if outcome.wait in STAGES:
            # A group goes where the last of its bundles goes; the others may be there sooner.
            sooner = STAGES[: STAGES.index(outcome.wait) + 1]
            items += _bundles(_as_it_goes(gang, outcome), _on(places, sooner))
    return items


def _as_it_goes(gang: Gang, outcome: Outcome) -> Gang:
    """The group with the bundles of the way that its outcome tells."""
    return replace(gang, bundles=gang.ways[int(outcome.reason.args.get("fallback", 0))])


def _outcome_of(gang: Gang, made: Plan) -> Outcome:
    (found,) = (
        o
        for o in made.outcomes
        if o.kind is Request.GANG and o.label.startswith(f"PG {gang.gang_id} ")
    )
    return found


def _bundles(gang: Gang, on: frozenset[int]) -> list[exact.Item]:
    if gang.strategy is Strategy.STRICT_PACK:
        whole = EMPTY
        for bundle in gang.bundles:
            whole += bundle.resources
        together = tuple(condition for bundle in gang.bundles for condition in bundle.selector)
        return [exact.Item(whole, 1, _any_of(together), on)]
    apart = gang.gang_id if gang.strategy is Strategy.STRICT_SPREAD else ""
    return [
        exact.Item(bundle.resources, count, _any_of(bundle.selector), on, apart)
        for bundle, count in Counter(gang.bundles).items()
    ]


def _any_of(selector: LabelSelector) -> tuple[LabelSelector, ...]:
    return (selector,) if selector else ()
