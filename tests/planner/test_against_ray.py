"""Against the scheduler of Ray's autoscaler v2: whatever it can place, ours places."""

from __future__ import annotations

from collections import Counter

import pytest

from raytui.autoscaler.planning.planner import DEFAULT_BUDGET, plan
from raytui.model.plan import Memory, Request, Wait
from raytui.model.resources import Resources
from raytui.model.state import Strategy
from tests.planner import cases
from tests.support.clusters import NOW

pytestmark = pytest.mark.ray

SEEDS = range(250)


@pytest.mark.parametrize("budget", [DEFAULT_BUDGET, 0])
@pytest.mark.parametrize("gangs", [0, 3], ids=["tasks", "groups"])
@pytest.mark.parametrize("tight", [False, True], ids=["loose", "tight"])
def test_whatever_ray_can_place_is_placed(tight: bool, gangs: int, budget: int) -> None:
    from tests.planner import ray_v2

    whole, our_total, ray_total = 0, 0, 0
    missed = []
    for seed in SEEDS:
        case = cases.make(seed, tight=tight, gangs=gangs)
        if _split_by_ray(case):
            continue
        ray_left, ray_gangs_left = ray_v2.schedule(case)
        our_left, our_gangs_left = _left(case, budget)
        if not ray_left and not ray_gangs_left:
            whole += 1
            if our_left or our_gangs_left:
                missed.append(seed)
        ray_total += ray_left.total()
        our_total += our_left.total()
    assert whole > len(SEEDS) / 10
    # Bin packing in a hurry: where the limits leave hardly a node to spare, one lucky order of
    # theirs in a whole batch is what ours is seen to miss.
    assert len(missed) <= (1 if tight else 0), missed
    # Where not everything can be placed, which requests wait is a matter of order. How many is not.
    assert our_total <= ray_total


def _left(case: cases.Case, budget: int) -> tuple[Counter[Resources], int]:
    """Requests of each shape, and placement groups, that found no place."""
    left: Counter[Resources] = Counter()
    gangs = 0
    for outcome in plan(case.state, case.spec, Memory(), NOW, budget).outcomes:
        if outcome.wait in (Wait.BLOCKED, Wait.INFEASIBLE):
            if outcome.kind is Request.GANG:
                gangs += 1
            else:
                left[outcome.resources] += outcome.count
    return left, gangs


def _split_by_ray(case: cases.Case) -> bool:
    """Ray 2.60 puts STRICT_PACK bundles with different selectors on different nodes."""
    return any(
        gang.strategy is Strategy.STRICT_PACK and len({b.selector for b in gang.bundles}) > 1
        for gang in case.state.gangs
    )
