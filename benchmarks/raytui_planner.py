"""The workload as raytui's planner is given it, and what it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import workload

from raytui.autoscaler.planning.planner import DEFAULT_BUDGET, plan
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Memory, Wait
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType, Offering, ProviderSpec
from raytui.model.state import (
    Bundle,
    ClusterState,
    Demand,
    Gang,
    Instance,
    Member,
    Node,
    NodeStatus,
    SourceHealth,
    Strategy,
)

_NOW = 1_700_000_000.0
_NO_LIMIT = 1_000_000


def prepare(work: workload.Workload, budget: int = DEFAULT_BUDGET) -> Callable[[], dict[str, Any]]:
    """A call that lets raytui decide: `launches`, nodes per type, `left`, requests without room.

    And `claimed_bound`: what the plan says that nodes for these requests cost at least.
    """
    spec, state, memory = _spec(work), _state(work), Memory()

    def decide() -> dict[str, Any]:
        decided = plan(state, spec, memory, _NOW, budget)
        launches: Counter[str] = Counter()
        for launch in decided.launches:
            launches[launch.node_type] += launch.count
        unplaced = (Wait.BLOCKED, Wait.INFEASIBLE)
        left = sum(outcome.count for outcome in decided.outcomes if outcome.wait in unplaced)
        return {
            "launches": dict(launches),
            "left": left,
            "claimed_bound": decided.lower_bound_per_hour,
        }

    return decide


def _spec(work: workload.Workload) -> ClusterSpec:
    types = {
        machine.name: NodeType(
            machine.name,
            Resources.of(machine.amounts),
            max_workers=_NO_LIMIT,
            offerings=(Offering(machine.name, price_per_hour=machine.price),),
        )
        for machine in work.machines
    }
    types["head"] = NodeType("head")
    return ClusterSpec(
        cluster_name="planner",
        provider=ProviderSpec("simulated"),
        node_types=types,
        head_node_type="head",
        max_workers=_NO_LIMIT,
        upscaling_speed=float(_NO_LIMIT),
    )


def _state(work: workload.Workload) -> ClusterState:
    bundles = (Bundle(Resources.of(workload.BUNDLE)),) * workload.GANG_SIZE
    return ClusterState(
        observed_at=_NOW,
        members=(
            _member(0, workload.HEAD, {}, is_head=True),
            *(_member(i, node.machine, node.free) for i, node in enumerate(work.existing, 1)),
        ),
        demands=tuple(Demand(Resources.of(shape), count) for shape, count in work.demands),
        gangs=tuple(
            Gang(f"{index:08x}", Strategy.STRICT_SPREAD, bundles) for index in range(work.gangs)
        ),
        sources=(SourceHealth("gcs", ok=True), SourceHealth("provider", ok=True)),
    )


def _member(
    index: int, machine: workload.Machine, free: workload.Amounts, *, is_head: bool = False
) -> Member:
    name = f"i-{index:05d}"
    return Member(
        Instance(name, machine.name, InstanceStatus.RUNNING, is_head=is_head, launched_at=_NOW),
        Node(
            node_id=f"{index:056x}",
            instance_id=name,
            node_type=machine.name,
            status=NodeStatus.RUNNING,
            total=Resources.of(machine.amounts),
            available=Resources.of(free),
            is_head=is_head,
        ),
    )
