"""What is launched, what waits, and the reason that each is given."""

from __future__ import annotations

import msgspec
import pytest

from raytui.autoscaler.planning.planner import plan
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import (
    DrainUnderWay,
    FailureKind,
    Hold,
    LaunchFailure,
    Memory,
    Outcome,
    Plan,
    Request,
    Wait,
)
from raytui.model.reason import Reason, Why, because
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState, NodeStatus, SourceHealth
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


def launched(plan: Plan) -> dict[str, int]:
    counts: dict[str, int] = {}
    for launch in plan.launches:
        counts[launch.node_type] = counts.get(launch.node_type, 0) + launch.count
    return counts


def only(outcomes: tuple[Outcome, ...], **wanted: object) -> Outcome:
    found = [o for o in outcomes if all(getattr(o, k) == v for k, v in wanted.items())]
    assert len(found) == 1, outcomes
    return found[0]


def kept(plan: Plan, instance_id: str) -> Reason:
    return next(k.reason for k in plan.kept if k.instance_id == instance_id)


class TestDemand:
    def test_nothing_pending_launches_nothing(self) -> None:
        assert not decide(state(), spec(SMALL)).acts

    def test_the_cheapest_mix_is_launched(self) -> None:
        made = decide(state(demands=[demand(16, CPU=1)]), spec(SMALL, LARGE, GPU))
        assert launched(made) == {"small": 4}
        assert [launch.reason.why for launch in made.launches] == [Why.FOR_DEMAND]

    def test_a_large_node_wins_when_it_is_cheaper_for_the_same_work(self) -> None:
        bargain = kind("large", 0.50, CPU=16)
        assert launched(decide(state(demands=[demand(16, CPU=1)]), spec(SMALL, bargain))) == {
            "large": 1
        }

    def test_running_room_is_used_before_anything_is_launched(self) -> None:
        made = decide(
            state(worker(SMALL, "a", used={"CPU": 1}), demands=[demand(3, CPU=1)]), spec(SMALL)
        )
        assert not made.launches
        assert only(made.outcomes).wait is Wait.RAY

    def test_starting_nodes_are_counted_so_nothing_is_launched_twice(self) -> None:
        starting = worker(SMALL, "a", status=InstanceStatus.SETTING_UP)
        made = decide(state(starting, demands=[demand(4, CPU=1)]), spec(SMALL))
        assert not made.launches
        outcome = only(made.outcomes)
        assert (outcome.wait, outcome.reason.why) == (Wait.STARTING, Why.WAITS_FOR_STARTING)

    def test_ready_time_is_told_when_boots_were_seen_before(self) -> None:
        starting = worker(SMALL, "a", status=InstanceStatus.REQUESTED)
        made = decide(
            state(starting, demands=[demand(1, CPU=1)]), spec(SMALL), boot_s={"small": 1040.0}
        )
        assert only(made.outcomes).reason.args["ready_at"] == NOW - 1000 + 1040

    def test_work_without_gpu_leaves_gpu_nodes_alone(self) -> None:
        made = decide(
            state(
                worker(GPU, "g", idle_for=1), worker(SMALL, "s", idle_for=1),
                demands=[demand(4, CPU=1)],
            ),
            spec(SMALL, GPU),
        )  # fmt: skip
        expected = {k.instance_id for k in made.kept if k.reason.why is Why.EXPECTED}
        assert expected == {"s"}

    def test_ten_tenths_of_a_gpu_are_one_gpu(self) -> None:
        made = decide(state(demands=[demand(10, GPU=0.1)]), spec(GPU))
        assert launched(made) == {"gpu": 1}

    def test_capacity_that_is_going_away_holds_no_demand(self) -> None:
        """Ray 2.60 places demand on nodes that it is terminating (facts D3)."""
        leaving = worker(SMALL, "a", idle_for=5)
        drain = DrainUnderWay("a", NOW, NOW + 60, because(Why.BY_COMMAND))
        made = decide(state(leaving, demands=[demand(4, CPU=1)]), spec(SMALL), drains=(drain,))
        assert launched(made) == {"small": 1}

    def test_a_draining_ray_node_holds_no_demand(self) -> None:
        member = worker(SMALL, "a", idle_for=5)
        assert member.node is not None
        draining = msgspec.structs.replace(
            member, node=msgspec.structs.replace(member.node, status=NodeStatus.DRAINING)
        )
        assert launched(decide(state(draining, demands=[demand(4, CPU=1)]), spec(SMALL))) == {
            "small": 1
        }


class TestLimits:
    def test_max_workers_of_a_type_holds_and_is_named(self) -> None:
        capped = kind("small", 0.2, CPU=4, max=2)
        made = decide(state(demands=[demand(20, CPU=1)]), spec(capped))
        assert launched(made) == {"small": 2}
        blocked = only(made.outcomes, wait=Wait.BLOCKED)
        assert (blocked.count, blocked.reason.why) == (12, Why.MAX_WORKERS_TYPE)
        assert blocked.reason.args == {"node_type": "small", "now": 2, "max": 2}

    def test_the_next_type_takes_over_at_max_workers(self) -> None:
        capped = kind("small", 0.2, CPU=4, max=1)
        made = decide(state(demands=[demand(20, CPU=1)]), spec(capped, LARGE))
        assert launched(made) == {"small": 1, "large": 1}

    def test_global_max_workers_holds_over_all_types(self) -> None:
        made = decide(
            state(worker(SMALL, "a"), demands=[demand(40, CPU=1)]), spec(SMALL, max_workers=3)
        )
        assert launched(made) == {"small": 2}
        assert only(made.outcomes, wait=Wait.BLOCKED).reason.why is Why.MAX_WORKERS_GLOBAL

    def test_upscaling_speed_throttles_demand_to_ray_s_documented_five(self) -> None:
        many = kind("small", 0.2, CPU=4, max=100)
        made = decide(state(demands=[demand(80, CPU=1)]), spec(many))
        assert launched(made) == {"small": 5}
        blocked = only(made.outcomes, wait=Wait.BLOCKED)
        assert (blocked.count, blocked.reason.why) == (60, Why.UPSCALING_SPEED)

    def test_upscaling_speed_grows_with_what_runs(self) -> None:
        many = kind("small", 0.2, CPU=4, max=100)
        running = [worker(many, f"w{i}") for i in range(8)]
        made = decide(state(*running, demands=[demand(80, CPU=1)]), spec(many, speed=1.0))
        assert launched(made) == {"small": 8}

    def test_throttled_work_waits_instead_of_running_somewhere_dearer(self) -> None:
        cheap, dear = kind("cheap", 0.1, CPU=1, max=100), kind("dear", 9.0, CPU=1, max=100)
        assert launched(decide(state(demands=[demand(50, CPU=1)]), spec(cheap, dear))) == {
            "cheap": 5
        }

    @pytest.mark.parametrize("speed", [0.0, 1.0])
    def test_min_workers_are_not_throttled(self, speed: float) -> None:
        floor = kind("small", 0.2, CPU=4, min=40, max=50)
        assert launched(decide(state(), spec(floor, speed=speed))) == {"small": 40}

    def test_a_persons_floor_stands_in_place_of_min_workers(self) -> None:
        floor = kind("small", 0.2, CPU=4, min=1)
        made = decide(state(), spec(floor), floors={"small": 3})
        assert [(x.count, x.reason.why) for x in made.launches] == [(3, Why.USER_FLOOR)]

    def test_a_floor_that_cannot_be_kept_says_why(self) -> None:
        floor = kind("small", 0.2, CPU=4, min=5)
        made = decide(state(), spec(floor, max_workers=2))
        assert launched(made) == {"small": 2}
        outcome = only(made.outcomes, kind=Request.FLOOR)
        assert (outcome.count, outcome.reason.why) == (3, Why.MAX_WORKERS_GLOBAL)


class TestInfeasible:
    def test_a_resource_that_no_type_has(self) -> None:
        outcome = only(decide(state(demands=[demand(2, TPU=1)]), spec(SMALL)).outcomes)
        assert outcome.wait is Wait.INFEASIBLE
        assert outcome.reason == because(Why.NO_TYPE_HAS, resource="TPU")

    def test_more_than_the_largest_type_has(self) -> None:
        outcome = only(decide(state(demands=[demand(1, CPU=32)]), spec(SMALL, LARGE)).outcomes)
        assert outcome.reason.why is Why.TOO_LARGE
        assert outcome.reason.args["node_type"] == "large"

    def test_each_resource_fits_somewhere_but_not_together(self) -> None:
        outcome = only(decide(state(demands=[demand(1, CPU=16, GPU=1)]), spec(LARGE, GPU)).outcomes)
        assert (outcome.wait, outcome.reason.why) == (Wait.INFEASIBLE, Why.TOO_LARGE)

    def test_labels_that_no_type_has(self) -> None:
        selector = (("zone", "in", ("mars",)),)
        outcome = only(decide(state(demands=[demand(1, selector, CPU=1)]), spec(SMALL)).outcomes)
        assert outcome.reason.why is Why.NO_TYPE_LABELS
        assert "mars" in str(outcome.reason.args["selector"])


class TestLabels:
    ALPHA = kind("alpha", 0.1, CPU=4, labels={"zone": "a"})
    BETA = kind("beta", 0.5, CPU=4, labels={"zone": "b"})

    def test_in_picks_the_type_with_the_label(self) -> None:
        wanted = demand(1, (("zone", "in", ("b", "c")),), CPU=1)
        assert launched(decide(state(demands=[wanted]), spec(self.ALPHA, self.BETA))) == {"beta": 1}

    def test_not_in_avoids_it(self) -> None:
        wanted = demand(1, (("zone", "not-in", ("a",)),), CPU=1)
        assert launched(decide(state(demands=[wanted]), spec(self.ALPHA, self.BETA))) == {"beta": 1}

    def test_a_fallback_is_tried_when_the_first_choice_cannot_be(self) -> None:
        first, second = (("zone", "in", ("mars",)),), (("zone", "in", ("b",)),)
        wanted = demand(1, first, second, CPU=1)
        assert launched(decide(state(demands=[wanted]), spec(self.ALPHA, self.BETA))) == {"beta": 1}

    def test_the_node_group_label_of_ray_names_the_type(self) -> None:
        wanted = demand(1, (("ray.io/node-group", "in", ("beta",)),), CPU=1)
        assert launched(decide(state(demands=[wanted]), spec(self.ALPHA, self.BETA))) == {"beta": 1}


class TestPlacementGroups:
    def test_strict_spread_needs_distinct_nodes_and_is_not_throttled(self) -> None:
        many = kind("small", 0.2, CPU=4, max=20)
        made = decide(state(gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 8)]), spec(many))
        assert launched(made) == {"small": 8}

    def test_strict_spread_uses_existing_nodes_once_each(self) -> None:
        made = decide(
            state(
                worker(SMALL, "a", idle_for=1), worker(SMALL, "b", idle_for=1),
                gangs=[gang("STRICT_SPREAD", *[bundle(CPU=1)] * 3)],
            ),
            spec(SMALL),
        )  # fmt: skip
        assert launched(made) == {"small": 1}

    def test_strict_spread_beyond_the_limits_launches_nothing_and_says_what_to_raise(self) -> None:
        capped = kind("gpu", 1.2, CPU=8, GPU=1, max=4)
        made = decide(
            state(worker(capped, "g"), gangs=[gang("STRICT_SPREAD", *[bundle(GPU=1)] * 4)]),
            spec(capped),
        )
        assert not made.launches
        outcome = only(made.outcomes, kind=Request.GANG)
        assert outcome.reason.why is Why.GANG_TOO_FEW_NODES
        assert (outcome.reason.args["wanted"], outcome.reason.args["possible"]) == (4, 3)

    def test_strict_pack_wants_one_node_for_all(self) -> None:
        made = decide(
            state(gangs=[gang("STRICT_PACK", bundle(CPU=8), bundle(CPU=8))]), spec(SMALL, LARGE)
        )
        assert launched(made) == {"large": 1}

    def test_strict_pack_that_fits_on_no_node_is_infeasible(self) -> None:
        made = decide(state(gangs=[gang("STRICT_PACK", *[bundle(CPU=4)] * 5)]), spec(SMALL, LARGE))
        assert not made.launches
        assert only(made.outcomes).wait is Wait.INFEASIBLE

    @pytest.mark.parametrize("strategy", ["PACK", "SPREAD"])
    def test_pack_and_spread_are_preferences(self, strategy: str) -> None:
        capped = kind("small", 0.2, CPU=4, max=1)
        made = decide(state(gangs=[gang(strategy, bundle(CPU=2), bundle(CPU=2))]), spec(capped))
        assert launched(made) == {"small": 1}

    def test_a_group_is_placed_whole_or_not_at_all(self) -> None:
        """Room for half of a group must stay free for work that can use it."""
        capped = kind("small", 0.2, CPU=4, max=1)
        made = decide(
            state(
                worker(capped, "a", idle_for=1),
                gangs=[gang("PACK", *[bundle(CPU=4)] * 2)],
                demands=[demand(4, CPU=1)],
            ),
            spec(capped),
        )
        assert only(made.outcomes, kind=Request.GANG).wait is Wait.BLOCKED
        assert only(made.outcomes, kind=Request.DEMAND).wait is Wait.RAY

    def test_bundle_selectors_are_kept(self) -> None:
        alpha = kind("alpha", 0.1, CPU=4, labels={"zone": "a"})
        beta = kind("beta", 0.5, CPU=4, labels={"zone": "b"})
        picky = bundle((("zone", "in", ("b",)),), CPU=1)
        made = decide(state(gangs=[gang("STRICT_SPREAD", bundle(CPU=1), picky)]), spec(alpha, beta))
        assert launched(made) == {"alpha": 1, "beta": 1}


class TestRequestResources:
    def test_it_is_measured_against_totals_as_if_idle(self) -> None:
        made = decide(state(worker(SMALL, "a"), constraints=[constraint(4, CPU=1)]), spec(SMALL))
        assert not made.launches

    def test_it_is_not_throttled(self) -> None:
        many = kind("small", 0.2, CPU=4, max=100)
        made = decide(state(constraints=[constraint(40, CPU=4)]), spec(many))
        assert launched(made) == {"small": 40}

    def test_it_is_all_or_nothing(self) -> None:
        capped = kind("small", 0.2, CPU=4, max=3)
        made = decide(state(constraints=[constraint(4, CPU=4)]), spec(capped))
        assert not made.launches
        assert only(made.outcomes).reason.why is Why.MAX_WORKERS_TYPE

    def test_it_keeps_idle_nodes_and_says_so(self) -> None:
        made = decide(
            state(
                worker(SMALL, "a", idle_for=900), worker(SMALL, "b", idle_for=800),
                constraints=[constraint(4, CPU=1)],
            ),
            spec(SMALL),
        )  # fmt: skip
        assert [r.instance_id for r in made.removals] == ["a"]
        reasons = {k.instance_id: k.reason.why for k in made.kept}
        assert reasons["b"] is Why.FOR_CONSTRAINT


class TestRemoval:
    def test_a_node_idle_beyond_its_timeout_leaves(self) -> None:
        made = decide(state(worker(SMALL, "a", idle_for=61)), spec(SMALL, idle_s=60))
        assert [(r.instance_id, r.reason.why, r.deadline) for r in made.removals] == [
            ("a", Why.IDLE_TIMEOUT, 0.0)
        ]

    def test_it_stays_until_then_and_the_reason_tells_when(self) -> None:
        made = decide(state(worker(SMALL, "a", idle_for=20)), spec(SMALL, idle_s=60))
        assert not made.removals
        assert kept(made, "a") == because(Why.IDLE, since=NOW - 20, leaves_at=NOW + 40)

    def test_the_types_own_timeout_wins(self) -> None:
        patient = kind("small", 0.2, CPU=4, idle_timeout_s=1000)
        assert not decide(state(worker(patient, "a", idle_for=61)), spec(patient)).removals

    def test_min_workers_stay_and_the_longest_idle_leave_first(self) -> None:
        floor = kind("small", 0.2, CPU=4, min=1)
        made = decide(
            state(worker(floor, "young", idle_for=100), worker(floor, "old", idle_for=200)),
            spec(floor),
        )
        assert [r.instance_id for r in made.removals] == ["old"]
        assert {k.instance_id: k.reason.why for k in made.kept}["young"] is Why.MIN_WORKERS

    def test_a_held_node_stays(self) -> None:
        made = decide(
            state(worker(SMALL, "a", idle_for=900)), spec(SMALL), holds=(Hold("a", "ann"),)
        )
        assert not made.removals
        assert kept(made, "a").why is Why.HELD

    def test_a_hold_ends_at_its_time(self) -> None:
        ended = Hold("a", "ann", until=NOW - 1)
        made = decide(state(worker(SMALL, "a", idle_for=900)), spec(SMALL), holds=(ended,))
        assert [r.instance_id for r in made.removals] == ["a"]

    def test_an_idle_node_about_to_be_used_stays(self) -> None:
        made = decide(
            state(worker(SMALL, "a", idle_for=900), demands=[demand(1, CPU=1)]), spec(SMALL)
        )
        assert not made.removals

    def test_never_the_head(self) -> None:
        assert all(r.instance_id != "head-0" for r in decide(state(), spec(SMALL)).removals)

    def test_above_a_lowered_limit_the_idle_go_first_and_the_busy_are_drained(self) -> None:
        capped = kind("small", 0.2, CPU=4, max=1)
        made = decide(
            state(
                worker(capped, "busy", used={"CPU": 4}),
                worker(capped, "half", used={"CPU": 1}),
                worker(capped, "idle", idle_for=1),
            ),
            spec(capped),
        )
        assert [r.instance_id for r in made.removals] == ["idle", "half"]
        assert all(r.deadline > NOW for r in made.removals)

    def test_a_type_that_was_taken_out_of_the_file_leaves(self) -> None:
        made = decide(state(worker(LARGE, "a", used={"CPU": 1})), spec(SMALL))
        assert [(r.instance_id, r.reason.why) for r in made.removals] == [("a", Why.TYPE_GONE)]


class TestNotActing:
    @pytest.mark.parametrize("source", ["gcs", "provider"])
    def test_what_is_unknown_is_not_zero(self, source: str) -> None:
        health = SourceHealth(source, ok=False, last_ok_at=NOW - 50, error="no answer")
        made = decide(
            state(worker(SMALL, "a", idle_for=900), demands=[demand(50, CPU=4)], sources=(health,)),
            spec(SMALL),
        )
        assert not made.acts
        assert only(made.outcomes, wait=Wait.BLOCKED).reason.why is Why.NOT_OBSERVED

    def test_paused_it_explains_and_does_not_act(self) -> None:
        made = decide(
            state(worker(SMALL, "a", idle_for=900), demands=[demand(50, CPU=4)]),
            spec(SMALL),
            paused_by="ann",
        )
        assert not made.acts
        assert {o.reason.why for o in made.outcomes} >= {Why.PAUSED}


class TestFailures:
    FAILED = LaunchFailure(
        "small", FailureKind.CAPACITY, "no capacity", failed_at=NOW - 5, retry_at=NOW + 25
    )

    def test_a_failing_type_is_avoided_and_others_are_tried(self) -> None:
        made = decide(
            state(demands=[demand(4, CPU=1)]), spec(SMALL, LARGE), failures=(self.FAILED,)
        )
        assert launched(made) == {"large": 1}

    def test_alone_it_is_named_with_its_own_words_and_the_next_try(self) -> None:
        made = decide(state(demands=[demand(4, CPU=1)]), spec(SMALL), failures=(self.FAILED,))
        reason = only(made.outcomes).reason
        assert reason.why is Why.BACKING_OFF
        assert (reason.args["message"], reason.args["retry_at"]) == ("no capacity", NOW + 25)

    def test_it_is_tried_again_when_the_pause_is_over(self) -> None:
        made = plan(
            state(demands=[demand(4, CPU=1)]), spec(SMALL), Memory((self.FAILED,)), NOW + 26
        )
        assert launched(made) == {"small": 1}


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
