"""Removal budgets, quiet hours and orphans, as plans have them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytui.autoscaler.explain import explain
from raytui.autoscaler.planning.orphans import ORPHAN_GRACE_S
from raytui.autoscaler.planning.planner import plan
from raytui.model.leaving import OrphanPolicy, QuietHours, RemovalRules, Share
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import DrainUnderWay, Hold, Memory, Plan
from raytui.model.reason import Why, because
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance, Member
from tests.support.clusters import NOW, demand, kind, spec, state, worker

SMALL = kind("small", 0.2, CPU=4, max=10)
LONG_AGO = NOW - 10_000


def ruled(rules: RemovalRules, *kinds, **options) -> ClusterSpec:
    return msgspec.structs.replace(spec(*(kinds or (SMALL,)), **options), removal=rules)


def idlers(count: int) -> list[Member]:
    return [worker(SMALL, f"n{i}", idle_for=10_000 - i) for i in range(count)]


def leaving(member_id: str, why: Why = Why.IDLE_TIMEOUT) -> DrainUnderWay:
    return DrainUnderWay(member_id, NOW - 5, 0.0, because(why))


def gone(made: Plan) -> list[str]:
    return [removal.instance_id for removal in made.removals]


def why(made: Plan, member_id: str) -> str:
    reason = next(k.reason for k in made.kept if k.instance_id == member_id)
    return explain(reason, NOW)


def quiet_now() -> RemovalRules:
    minute = int(NOW // 60 % 1440)
    return RemovalRules(quiet_hours=(QuietHours(minute - 5, minute + 5),))


class TestBudgets:
    def test_without_one_all_that_are_idle_for_too_long_leave(self) -> None:
        assert len(gone(plan(state(*idlers(5)), spec(SMALL), Memory(), NOW))) == 5

    @pytest.mark.parametrize(
        ("rules", "count"),
        [
            (RemovalRules(max_draining=Share(2)), 2),
            (RemovalRules(max_draining=Share(0)), 0),
            (RemovalRules(max_draining=Share(25, percent=True)), 2),
            (RemovalRules(max_draining_idle=Share(3)), 3),
            (RemovalRules(max_draining=Share(2), max_draining_idle=Share(3)), 2),
            (RemovalRules(max_draining_over_limit=Share(1)), 5),
        ],
    )
    def test_so_many_leave_at_once_the_longest_idle_first(self, rules, count) -> None:
        made = plan(state(*idlers(5)), ruled(rules), Memory(), NOW)
        assert gone(made) == [f"n{i}" for i in range(count)]

    def test_those_on_their_way_out_count_until_they_are_gone(self) -> None:
        rules = RemovalRules(max_draining=Share(2))
        members = idlers(4)
        terminating = msgspec.structs.replace(
            members[0],
            instance=msgspec.structs.replace(
                members[0].instance, status=InstanceStatus.TERMINATING
            ),
        )
        memory = Memory(drains=(leaving("n0"), leaving("long gone")))
        made = plan(state(terminating, *members[1:]), ruled(rules), memory, NOW)
        assert gone(made) == ["n1"]
        assert why(made, "n2") == "removal budget: 2 of 2 are leaving"

    def test_reasons_have_budgets_of_their_own(self) -> None:
        tight = kind("small", 0.2, CPU=4, max=3)
        rules = RemovalRules(max_draining_over_limit=Share(1), max_draining_idle=Share(1))
        members = [worker(SMALL, f"n{i}", used={"CPU": 1 + i % 4}) for i in range(5)]
        idle = worker(SMALL, "z", idle_for=10_000)
        made = plan(state(*members, idle), ruled(rules, tight), Memory(), NOW)
        assert gone(made) == ["z"]
        assert why(made, "n0") == "removal budget: 1 of 1 are leaving"
        assert why(made, "n3").startswith("busy")

    def test_what_does_not_run_yet_leaves_without_a_budget(self) -> None:
        tight = kind("small", 0.2, CPU=4, max=0)
        rules = RemovalRules(max_draining=Share(0))
        boots = worker(SMALL, "boots", status=InstanceStatus.SETTING_UP)
        made = plan(state(boots), ruled(rules, tight), Memory(), NOW)
        assert gone(made) == ["boots"]

    def test_what_was_asked_for_and_has_not_come_is_decided_on_when_it_has(self) -> None:
        tight = kind("small", 0.2, CPU=4, max=1)
        asked = worker(SMALL, "asked", status=InstanceStatus.REQUESTED)
        busy = worker(SMALL, "busy", used={"CPU": 4})
        made = plan(state(asked, busy), spec(tight), Memory(), NOW)
        assert gone(made) == []

    def test_a_node_that_may_not_leave_yet_still_holds_demand(self) -> None:
        rules = RemovalRules(max_draining=Share(0))
        tight = kind("small", 0.2, CPU=4, max=0)
        members = idlers(1)
        made = plan(state(*members, demands=[demand(2, CPU=1)]), ruled(rules, tight), Memory(), NOW)
        assert made.removals == ()
        assert [o.reason.why for o in made.outcomes] == [Why.FITS_RUNNING]


class TestQuietHours:
    def test_nothing_idle_leaves_and_it_is_said_until_when(self) -> None:
        made = plan(state(*idlers(2)), ruled(quiet_now()), Memory(), NOW)
        assert gone(made) == []
        assert why(made, "n0").startswith("quiet hours until")

    def test_nothing_above_a_limit_leaves(self) -> None:
        tight = kind("small", 0.2, CPU=4, max=1)
        members = [worker(SMALL, f"n{i}", used={"CPU": 4}) for i in range(2)]
        made = plan(state(*members), ruled(quiet_now(), tight), Memory(), NOW)
        assert gone(made) == []

    def test_afterwards_it_does(self) -> None:
        minute = int(NOW // 60 % 1440)
        over = RemovalRules(quiet_hours=(QuietHours(minute - 5, minute),))
        assert len(gone(plan(state(*idlers(2)), ruled(over), Memory(), NOW))) == 2

    def test_a_hold_is_named_before_the_hour(self) -> None:
        memory = Memory(holds=(Hold("n0", "ann"),))
        made = plan(state(*idlers(1)), ruled(quiet_now()), memory, NOW)
        assert why(made, "n0") == "held by ann"


def test_a_busy_node_above_a_limit_has_the_deadline_of_the_rules() -> None:
    tight = kind("small", 0.2, CPU=4, max=0)
    busy = worker(SMALL, "n", used={"CPU": 4})
    made = plan(state(busy), ruled(RemovalRules(90.0), tight), Memory(), NOW)
    assert [r.deadline for r in made.removals] == [NOW + 90]
    made = plan(state(busy), spec(tight), Memory(), NOW)
    assert [r.deadline for r in made.removals] == [NOW + 600]


ORPHAN = Member(
    Instance(
        "stray",
        "small",
        InstanceStatus.ALLOCATED,
        launched_at=NOW - 7200,
        price_per_hour=0.2,
        orphan=True,
    )
)


class TestOrphans:
    def swept(self, since: float, policy: OrphanPolicy) -> Plan:
        memory = Memory(orphans={"stray": since})
        swept = msgspec.structs.replace(spec(SMALL), orphans=policy)
        return plan(state(ORPHAN), swept, memory, NOW)

    def test_they_stay_unless_policy_says_otherwise(self) -> None:
        made = self.swept(LONG_AGO, OrphanPolicy.KEEP)
        assert gone(made) == []
        assert why(made, "stray").startswith("orphan, 2h00m old: no record of it; `raytui sweep`")

    def test_policy_ends_them_after_some_minutes_and_tells_age_and_cost(self) -> None:
        made = self.swept(NOW - ORPHAN_GRACE_S, OrphanPolicy.TERMINATE)
        assert gone(made) == ["stray"]
        assert why(made, "stray") == "orphan, 2h00m old, $0.20/h, about $0.40 so far"
        made = self.swept(NOW - ORPHAN_GRACE_S + 1, OrphanPolicy.TERMINATE)
        assert gone(made) == []
        assert "terminated at" in why(made, "stray")

    def test_one_that_may_yet_join_counts_as_starting(self) -> None:
        wants = kind("small", 0.2, CPU=4, min=1)
        made = plan(state(ORPHAN), spec(wants), Memory(orphans={"stray": NOW - 5}), NOW)
        assert made.launches == ()

    def test_one_that_never_joined_keeps_no_floor_but_counts_against_the_limit(self) -> None:
        memory = Memory(orphans={"stray": LONG_AGO})
        wants = kind("small", 0.2, CPU=4, min=1, max=2)
        made = plan(state(ORPHAN), spec(wants), memory, NOW)
        assert [launch.count for launch in made.launches] == [1]
        wants = kind("small", 0.2, CPU=4, min=1, max=1)
        made = plan(state(ORPHAN), spec(wants), memory, NOW)
        assert made.launches == ()
        assert [o.label for o in made.outcomes] == ["floor of small"]


shares = st.one_of(
    st.none(),
    st.builds(Share, st.integers(0, 12)),
    st.builds(Share, st.integers(0, 100), st.just(True)),
)


@settings(max_examples=150, deadline=None)
@given(
    idle=st.integers(0, 12),
    busy=st.integers(0, 6),
    under_way=st.integers(0, 4),
    top=st.integers(0, 12),
    everyone=shares,
    idlers_alone=shares,
    over_limit=shares,
)
def test_no_budget_is_ever_overdrawn(
    idle, busy, under_way, top, everyone, idlers_alone, over_limit
) -> None:
    rules = RemovalRules(
        max_draining=everyone,
        max_draining_idle=idlers_alone,
        max_draining_over_limit=over_limit,
    )
    limited = kind("small", 0.2, CPU=4, max=top)
    draining = [worker(SMALL, f"d{i}", status=InstanceStatus.DRAINING) for i in range(under_way)]
    members = [
        *idlers(idle),
        *(worker(SMALL, f"b{i}", used={"CPU": 4}) for i in range(busy)),
        *draining,
    ]
    memory = Memory(drains=tuple(leaving(member.id) for member in draining))
    made = plan(state(*members), ruled(rules, limited), memory, NOW)
    whys = [Why.IDLE_TIMEOUT] * under_way + [r.reason.why for r in made.removals]
    for share, counted in (
        (everyone, whys),
        (idlers_alone, [w for w in whys if w is Why.IDLE_TIMEOUT]),
        (over_limit, [w for w in whys if w is not Why.IDLE_TIMEOUT]),
    ):
        if share is not None and made.removals:
            already = under_way if share is not over_limit else 0
            assert len(counted) <= max(share.of(len(members)), already)
    held_up = [k for k in made.kept if k.reason.why is Why.REMOVAL_BUDGET]
    if rules == RemovalRules():
        assert not held_up
        assert len(made.removals) == max(idle, idle + busy - top)
