"""Against Ray's way of choosing new nodes: no fewer requests served, and hardly ever dearer."""

from __future__ import annotations

import math
import statistics

import pytest

from raytui.autoscaler.planning.buying import NODE_CHARGE
from raytui.autoscaler.planning.planner import DEFAULT_BUDGET, plan
from raytui.model.plan import Memory, Wait
from tests.planner import cases, ray_like
from tests.support.clusters import NOW

SEEDS = range(400)


# Our price over theirs: geometric mean, and how often it may be above 1 (by chance theirs packs
# a handful of nodes better). Measured over 1,000 seeds: 0.961 and 2.5 %, 0.952 and 1.0 %, and at
# the worst 1.24.
@pytest.mark.parametrize(
    ("budget", "mean", "dearer"), [(0, 0.97, 0.03), (DEFAULT_BUDGET, 0.96, 0.015)]
)
@pytest.mark.parametrize("tight", [False, True], ids=["loose", "tight"])
def test_hardly_ever_dearer_than_taking_the_best_used_node(
    tight: bool, budget: int, mean: float, dearer: float
) -> None:
    ratios = []
    our_total, their_total = 0, 0
    for seed in SEEDS:
        case = cases.make(seed, tight=tight, running=0)
        on_offer = [place for place in case.places() if place.bought]
        theirs, their_left = ray_like.buy(case.items(), on_offer, case.most_nodes)
        made = plan(case.state, case.spec, Memory(), NOW, budget)
        ours = {launch.node_type: launch.count for launch in made.launches}
        lost = (Wait.BLOCKED, Wait.INFEASIBLE)
        our_left = sum(o.count for o in made.outcomes if o.wait in lost)
        our_total, their_total = our_total + our_left, their_total + their_left
        assert not our_left or their_left, (case, ours, theirs)
        if our_left == their_left == 0:
            ratios.append(_cost(ours, case) / _cost(theirs, case))
    assert our_total <= their_total
    assert len(ratios) > len(SEEDS) / 5
    assert max(ratios) <= 1.25
    assert sum(ratio > 1 + 1e-9 for ratio in ratios) <= dearer * len(ratios)
    assert math.exp(statistics.fmean(map(math.log, ratios))) <= (1.0 if tight else mean)


def _cost(nodes: dict[str, int], case: cases.Case) -> float:
    prices = {kind.name: (kind.price_per_hour or 0.0) + NODE_CHARGE for kind in case.kinds}
    return sum(prices[name] * count for name, count in nodes.items())
