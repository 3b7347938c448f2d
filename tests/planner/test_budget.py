"""A budget holds in every state, however odd."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from raytui.autoscaler.planning.money import fleet_price
from raytui.autoscaler.planning.planner import plan
from raytui.model.codec import encode
from raytui.model.plan import Memory
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState
from tests.planner.worlds import memories, specs, states
from tests.support.clusters import NOW

PRICES = {"small": 0.2, "large": 0.9, "gpu": 1.2, "odd": 0.13}
"""Of the types of `worlds`; the last has none and counts by an estimate: 2 CPUs, 1 special."""

budgets = st.sampled_from([0.5, 1.0, 2.0, 3.3, 6.0])


@settings(max_examples=300, deadline=None)
@given(states(), specs(), memories(), budgets)
def test_no_launch_takes_the_fleet_above_its_budget(
    world: ClusterState, cluster: ClusterSpec, memory: Memory, dollars: float
) -> None:
    made = plan(world, replace(cluster, budget_per_hour=dollars), memory, NOW)
    more = sum(launch.count * PRICES[launch.node_type] for launch in made.launches)
    assert not more or fleet_price(world.members, cluster) + more <= dollars + 1e-6


@settings(max_examples=100, deadline=None)
@given(states(), specs(), memories())
def test_a_budget_that_is_large_enough_changes_nothing(
    world: ClusterState, cluster: ClusterSpec, memory: Memory
) -> None:
    rich = plan(world, replace(cluster, budget_per_hour=1e6), memory, NOW)
    assert encode(rich) == encode(plan(world, cluster, memory, NOW))
