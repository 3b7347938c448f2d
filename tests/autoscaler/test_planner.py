"""What a plan says beside what it does: reasons of launches and removals, times, verdicts.

What it does is in tests/planner, a rule a row.
"""

from __future__ import annotations

from raytui.autoscaler.planning.planner import plan
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Memory, Plan
from raytui.model.reason import Why, because
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState
from tests.support.clusters import (
    NOW,
    bundle,
    constraint,
    demand,
    gang,
    kind,
    spec,
    state,
    worker,
)

SMALL = kind("small", 0.20, CPU=4)
LARGE = kind("large", 0.90, CPU=16)
GPU = kind("gpu", 1.20, CPU=8, GPU=1)


def decide(state: ClusterState, spec: ClusterSpec, **memory: object) -> Plan:
    return plan(state, spec, Memory(**memory), NOW)


class TestLaunches:
    def test_a_launch_names_the_hardest_request_it_was_bought_for(self) -> None:
        wanted = [demand(3, CPU=1), demand(1, CPU=4)]
        made = decide(state(demands=wanted), spec(GPU))
        assert [x.reason for x in made.launches] == [
            because(Why.FOR_DEMAND, count=1, shape="{CPU: 4}")
        ]

    def test_each_kind_of_request_gives_its_own_reason(self) -> None:
        floor = kind("small", 0.2, CPU=4, min=1)
        made = decide(
            state(
                demands=[demand(1, GPU=1)],
                gangs=[gang("STRICT_PACK", bundle(CPU=16))],
                constraints=[constraint(2, CPU=4)],
            ),
            spec(floor, LARGE, GPU),
        )
        assert [(x.node_type, x.reason.why) for x in made.launches] == [
            ("small", Why.MIN_WORKERS),
            ("small", Why.FOR_CONSTRAINT),
            ("large", Why.FOR_GANG),
            ("gpu", Why.FOR_DEMAND),
        ]

    def test_a_persons_floor_is_named_as_such(self) -> None:
        floor = kind("small", 0.2, CPU=4, min=1)
        made = decide(state(), spec(floor), floors={"small": 3})
        assert [(x.count, x.reason.why) for x in made.launches] == [(3, Why.USER_FLOOR)]

    def test_ready_time_is_told_when_boots_were_seen_before(self) -> None:
        starting = worker(SMALL, "a", status=InstanceStatus.REQUESTED)
        made = decide(
            state(starting, demands=[demand(1, CPU=1)]), spec(SMALL), boot_s={"small": 1040.0}
        )
        (outcome,) = made.outcomes
        assert outcome.reason.args["ready_at"] == NOW - 1000 + 1040


class TestRemoval:
    def test_an_idle_node_leaves_only_while_it_is_idle(self) -> None:
        made = decide(state(worker(SMALL, "a", idle_for=61)), spec(SMALL, idle_s=60))
        assert [(r.instance_id, r.node_id, r.deadline) for r in made.removals] == [
            ("a", "n-a", 0.0)
        ]
        assert made.removals[0].reason == because(Why.IDLE_TIMEOUT, idle_s=61.0, timeout_s=60.0)

    def test_the_reason_tells_when_an_idle_node_will_leave(self) -> None:
        made = decide(state(worker(SMALL, "a", idle_for=20)), spec(SMALL, idle_s=60))
        here = {k.instance_id: k.reason for k in made.kept}
        assert here["a"] == because(Why.IDLE, since=NOW - 20, leaves_at=NOW + 40)

    def test_a_busy_node_above_a_limit_is_drained_with_a_deadline(self) -> None:
        capped = kind("small", 0.2, CPU=4, max=1)
        made = decide(
            state(
                worker(capped, "busy", used={"CPU": 4}),
                worker(capped, "half", used={"CPU": 1}),
            ),
            spec(capped),
        )
        assert [(r.instance_id, r.deadline > NOW) for r in made.removals] == [("half", True)]


class TestVerdicts:
    def test_every_type_is_judged(self) -> None:
        made = decide(state(demands=[demand(16, CPU=1)]), spec(SMALL, LARGE, GPU))
        verdicts = {v.node_type: v for v in made.verdicts}
        assert verdicts["small"].chosen
        assert verdicts["small"].reason.why is Why.CHEAPEST
        assert (verdicts["large"].fits, verdicts["large"].nodes) == (16, 1)
        assert verdicts["large"].reason.why is Why.DEARER
        assert verdicts["gpu"].reason.why is Why.DEARER

    def test_a_type_that_cannot_hold_it_says_what_is_missing(self) -> None:
        made = decide(state(demands=[demand(1, GPU=1)]), spec(SMALL, GPU))
        verdicts = {v.node_type: v.reason for v in made.verdicts}
        assert verdicts["small"] == because(Why.DOES_NOT_FIT, what="GPU")
        assert verdicts["gpu"].why is Why.ONLY_FIT
