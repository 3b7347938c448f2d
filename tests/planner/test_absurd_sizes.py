"""Numbers that nobody means: the answer is bounded, and tells what is not done.

Without the bound these plans would name a billion nodes, and the test would end for want of memory.
"""

from __future__ import annotations

import pytest

from raytui.autoscaler.planning.planner import MOST_WORKERS, plan
from raytui.model.plan import Memory, Wait
from raytui.model.reason import Why
from raytui.model.state import ClusterState
from tests.support.clusters import NOW, constraint, demand, kind, spec, state

BILLION = 10**9


@pytest.mark.parametrize(
    ("floor", "world"),
    [
        (0, state(demands=[demand(10**12, CPU=1)])),
        (0, state(constraints=[constraint(BILLION, CPU=1)])),
        (BILLION, state()),
    ],
    ids=["tasks", "request_resources", "min_workers"],
)
def test_a_billion_nodes_are_a_bounded_answer(floor: int, world: ClusterState) -> None:
    cluster = spec(
        kind("one", 0.1, min=floor, max=BILLION, CPU=1), max_workers=BILLION, speed=float(BILLION)
    )
    made = plan(world, cluster, Memory(), NOW)
    assert sum(launch.count for launch in made.launches) <= MOST_WORKERS
    blocked = [o.reason for o in made.outcomes if o.wait is Wait.BLOCKED]
    assert blocked
    assert all(r.why in (Why.MAX_WORKERS_GLOBAL, Why.UPSCALING_SPEED) for r in blocked)
