"""Nodes that are taken back, or may be, as people see them."""

from __future__ import annotations

import msgspec

from raytui.cli.report import report_of
from raytui.cli.report_text import status_text
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import FailureKind, LaunchFailure
from raytui.model.reason import Reason, Why, because
from raytui.model.snapshot import Row
from raytui.model.spec import Market
from raytui.model.state import Notice, NoticeKind
from raytui.model.text import clock_text
from tests.tui import sample
from tests.tui.driving import go, opened, recorded, text, until

UNTIL = sample.NOW + 100


def noticed(name: str, kind: NoticeKind, status: InstanceStatus, reason: Reason) -> Row:
    deadline = UNTIL if kind is NoticeKind.INTERRUPTION else 0.0
    notice = Notice(name, kind, "AWS", sample.NOW - 20, deadline)
    made = sample.member(name, "cpu-small", status, age_s=600)
    return Row(msgspec.structs.replace(made, notice=notice), reason)


TAKEN_BACK = noticed(
    "i-gone",
    NoticeKind.INTERRUPTION,
    InstanceStatus.DRAINING,
    because(Why.TAKEN_BACK, by="AWS", deadline=UNTIL),
)
AT_RISK = noticed(
    "i-risk",
    NoticeKind.REBALANCE,
    InstanceStatus.RUNNING,
    because(Why.BUSY, activity="3/4 CPU"),
)
AVOIDED = LaunchFailure(
    "cpu-small",
    FailureKind.INTERRUPTED,
    "spot interruption notice for i-gone",
    sample.NOW - 20,
    sample.NOW + 580,
    "us-west-2a",
    "m5.large",
    Market.SPOT,
)
SHOWN = sample.snapshot(rows=(TAKEN_BACK, AT_RISK), failures=(AVOIDED,))
WHEN = f"AWS takes it back at {clock_text(UNTIL)}"


async def test_the_nodes_say_when_they_go_and_that_they_may():
    async with opened(recorded(SHOWN), size=(150, 40)) as pilot:
        await go(pilot, "2")
        await until(pilot, lambda: "i-gone" in text(pilot.app))
        shown = text(pilot.app)
    assert WHEN in shown
    assert "AWS may take it back soon; busy: 3/4 CPU" in shown


async def test_what_is_avoided_after_an_interruption_is_no_failed_launch():
    async with opened(recorded(SHOWN), size=(150, 40)) as pilot:
        await go(pilot, "3")
        await until(pilot, lambda: "AVOIDED AFTER" in text(pilot.app))
        shown = text(pilot.app)
    assert "AVOIDED AFTER 1 INTERRUPTION" in shown
    assert "m5.large us-west-2a spot  interrupted ×1" in shown


def test_the_status_says_so_to_people():
    told = status_text(SHOWN)
    assert f"{WHEN}: spot interruption notice" in told
    assert "AWS may take it back soon; busy: 3/4 CPU" in told


def test_the_status_says_so_to_programs():
    gone, risk = report_of(SHOWN).nodes
    assert (gone.at_risk, gone.taken_back_at, gone.code) == (True, UNTIL, "taken_back")
    assert (risk.at_risk, risk.taken_back_at, risk.code) == (True, None, "busy")
