"""Orphans swept, ceilings set, and what is avoided after failed launches."""

from __future__ import annotations

import msgspec
from textual.widgets import Button

from raytui.model.command import SetCeiling, SweepOrphans, Terminate
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import FailureKind, LaunchFailure
from raytui.model.reason import Why, because
from raytui.model.snapshot import Row
from raytui.model.spec import Market
from raytui.screens.avoided import AvoidedList
from raytui.screens.sweep import SweepScreen
from tests.tui import sample
from tests.tui.driving import Clock, command, go, opened, recorded, text, toasts, until


def orphan(name: str) -> Row:
    made = sample.member(name, "cpu-small", InstanceStatus.ALLOCATED, age_s=7200)
    instance = msgspec.structs.replace(made.instance, orphan=True)
    reason = because(Why.ORPHAN, since=sample.NOW - 7200, sweep_at=0.0)
    return Row(msgspec.structs.replace(made, instance=instance), reason)


def with_orphans(*names: str):
    return sample.snapshot(rows=(*sample.rows(), *map(orphan, names)))


async def open_sweep(pilot, words: str = "sweep"):
    await command(pilot, words)
    await until(pilot, lambda: isinstance(pilot.app.screen, SweepScreen))


async def test_the_dialog_lists_age_and_cost_and_cancel_has_the_focus():
    client = recorded(with_orphans("i-dead", "i-gone"))
    async with opened(client) as pilot:
        await open_sweep(pilot)
        shown = text(pilot.app)
        assert "Terminate 2 orphans" in shown
        assert "i-dead  cpu-small  2h00m old  $0.10/h, about $0.20 so far" in shown
        assert "raytui sweep i-dead i-gone" in shown
        assert pilot.app.screen.query_one("#cancel", Button).has_focus
        await go(pilot, "enter")
    assert client.sent == []


async def test_it_ends_the_orphans_that_it_was_opened_for():
    client = recorded(with_orphans("i-dead"))
    async with opened(client) as pilot:
        await open_sweep(pilot)
        client.play(with_orphans("i-dead", "i-new"))
        await go(pilot, "right", "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [SweepOrphans(("i-dead",))]


async def test_what_is_no_orphan_is_refused():
    async with opened(recorded(with_orphans("i-dead"))) as pilot:
        await command(pilot, "sweep i-0a31")
        await until(pilot, lambda: "i-0a31 is no orphan" in toasts(pilot.app))


async def test_without_orphans_it_says_so():
    async with opened() as pilot:
        await command(pilot, "sweep")
        await until(pilot, lambda: "there are no orphans" in toasts(pilot.app))


async def test_read_only_refuses_both():
    client = recorded(with_orphans("i-dead"), read_only=True)
    async with opened(client) as pilot:
        await command(pilot, "sweep")
        await command(pilot, "ceiling cpu-small 3")
        await until(pilot, lambda: len(toasts(pilot.app)) == 2)
        assert not isinstance(pilot.app.screen, SweepScreen)
    assert client.sent == []


async def test_a_ceiling_is_set_and_taken_back_by_name():
    client = recorded()
    async with opened(client) as pilot:
        await command(pilot, "ceiling cpu-small 3")
        await command(pilot, "ceiling cpu-small")
        await until(pilot, lambda: len(client.sent) == 2)
        await command(pilot, "ceiling nothing 3")
        await until(pilot, lambda: any("no node type" in toast for toast in toasts(pilot.app)))
    assert client.sent == [SetCeiling("cpu-small", 3), SetCeiling("cpu-small", None)]


async def test_a_persons_ceiling_is_marked():
    types = tuple(
        msgspec.structs.replace(row, max=7, user_ceiling=True) if row.name == "cpu-large" else row
        for row in sample.types()
    )
    async with opened(recorded(sample.snapshot(types=types))) as pilot:
        line = next(line for line in text(pilot.app).splitlines() if "cpu-large" in line)
        assert "*7" in line


async def test_the_dialog_drains_as_long_as_the_cluster_file_says():
    info = msgspec.structs.replace(sample.snapshot().info, drain_s=900.0)
    client = recorded(sample.snapshot(info=info))
    async with opened(client) as pilot:
        await command(pilot, "drain i-0a31")
        await until(pilot, lambda: "drain for up to 15m00s" in text(pilot.app))
        assert "--drain 15m" in text(pilot.app)
        await until(pilot, lambda: not pilot.app.screen.query_one("#go", Button).disabled)
        await go(pilot, "right", "enter")
        await until(pilot, lambda: client.sent)
    assert client.sent == [Terminate(("i-0a31",), 900.0, 10.0)]


FAILED = LaunchFailure(
    "gpu-a10",
    FailureKind.CAPACITY,
    "InsufficientInstanceCapacity:\nno [g5] now",
    failed_at=sample.NOW - 30,
    retry_at=sample.NOW + 30,
    zone="us-west-2b",
    instance_type="g5.2xlarge",
    market=Market.SPOT,
    count=3,
)


async def test_what_is_avoided_is_above_the_journal_in_the_providers_own_words():
    async with opened(recorded(sample.snapshot(failures=(FAILED,)))) as pilot:
        await go(pilot, "3")
        line = next(line for line in text(pilot.app).splitlines() if "g5.2xlarge" in line)
        assert "g5.2xlarge us-west-2b spot  capacity ×3" in line
        assert "InsufficientInstanceCapacity: no [g5] now" in line


async def test_in_a_narrow_window_what_is_avoided_why_and_until_when_can_be_read():
    quota = msgspec.structs.replace(
        FAILED,
        kind=FailureKind.QUOTA,
        message="VcpuLimitExceeded: You have requested more than your limit of 64 allows.",
        quota="G and VT",
    )
    async with opened(recorded(sample.snapshot(failures=(FAILED, quota))), size=(80, 24)) as pilot:
        await go(pilot, "3")
        shown = text(pilot.app)
        assert "✕ g5.2xlarge us-west-2b spot  capacity ×3  until " in shown
        assert "✕ G and VT quota spot         quota ×3     until " in shown
        assert "VcpuLimitExceeded" in shown


async def test_it_leaves_the_list_when_its_time_is_over():
    clock = Clock()
    async with opened(recorded(sample.snapshot(failures=(FAILED,))), clock=clock) as pilot:
        await go(pilot, "3")
        shown = pilot.app.screen.query_one(AvoidedList)
        assert shown.display
        clock.at += 31
        await until(pilot, lambda: not shown.display)


async def test_without_failures_it_takes_no_room():
    async with opened() as pilot:
        await go(pilot, "3")
        assert not pilot.app.screen.query_one(AvoidedList).display


async def test_many_are_counted():
    many = tuple(
        msgspec.structs.replace(FAILED, zone=f"zone-{i}", retry_at=FAILED.retry_at + i)
        for i in range(10)
    )
    async with opened(recorded(sample.snapshot(failures=many)), size=(80, 24)) as pilot:
        await go(pilot, "3")
        shown = text(pilot.app)
        assert "AVOIDED AFTER 30 FAILED LAUNCHES" in shown
        assert "and 4 more" in shown
