"""`raytui status --watch`: how a change reads, and that only lines are written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from raytui.cli.exit_codes import ExitCode
from raytui.cli.status_changes import changes
from raytui.config.locations import ClusterPaths
from raytui.model.failure import FailureKind
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Hold, LaunchFailure
from raytui.model.snapshot import Event, Level, Row, Snapshot
from tests.cli.conftest import raytui
from tests.control.conftest import DaemonProcess
from tests.tui import sample

Change = Callable[[Snapshot], Snapshot]


def lines(change: Change) -> list[str]:
    """What is told of a change of the sample cluster, without the times."""
    old = sample.snapshot()
    new = replace(change(old), taken_at=old.taken_at + 1)
    told = changes(old, new)
    assert all(line[2] == line[5] == ":" for line in told), told
    return [line[10:] for line in told]


def with_row(old: Snapshot, row_id: str, turn: Callable[[Row], Row]) -> Snapshot:
    return replace(old, rows=tuple(turn(r) if r.id == row_id else r for r in old.rows))


def a_worker(snapshot: Snapshot) -> Row:
    return next(
        row
        for row in snapshot.rows
        if row.member.status is InstanceStatus.RUNNING and not row.member.is_head and not row.hold
    )


def test_the_same_picture_a_second_later_is_no_change():
    assert lines(lambda old: old) == []


def test_use_and_ages_are_no_change():
    assert lines(lambda old: replace(old, used={"CPU": 1.0}, cost_per_hour=99.0)) == []


def test_a_node_that_left_and_one_that_came():
    row = a_worker(sample.snapshot())
    without = replace(
        sample.snapshot(), rows=tuple(r for r in sample.snapshot().rows if r.id != row.id)
    )
    name = f"{row.member.node_type} {row.id}"
    assert lines(lambda _: without) == [f"{name}: gone"]
    (came,) = changes(without, sample.snapshot())
    assert came[10:].startswith(f"{name}: new, ")


def test_a_node_that_drains_is_told_with_what_it_was():
    row = a_worker(sample.snapshot())

    def drained(one: Row) -> Row:
        instance = replace(one.member.instance, status=InstanceStatus.DRAINING)
        return replace(one, member=replace(one.member, instance=instance))

    (line,) = lines(lambda old: with_row(old, row.id, drained))
    assert line.startswith(f"{row.member.node_type} {row.id}: draining (")


def test_a_hold_is_told():
    row = a_worker(sample.snapshot())
    hold = Hold(row.id, "ana")
    (line,) = lines(lambda old: with_row(old, row.id, lambda one: replace(one, hold=hold)))
    assert "held by ana" in line


def test_what_the_journal_tells_of_a_node_is_told_once():
    row = a_worker(sample.snapshot())
    event = Event(10_000, sample.NOW + 1, Level.INFO, "the node went", instance_id=row.id)

    def left(old: Snapshot) -> Snapshot:
        rows = tuple(r for r in old.rows if r.id != row.id)
        return replace(old, rows=rows, events=(event, *old.events))

    assert lines(left) == ["the node went"]


def test_events_come_oldest_first_with_who_asked():
    first = Event(10_000, sample.NOW, Level.INFO, "first", by="ana@laptop")
    second = Event(10_001, sample.NOW, Level.INFO, "second")
    told = lines(lambda old: replace(old, events=(second, first, *old.events)))
    assert told == ["first (by ana@laptop)", "second"]


def test_demand_that_grows_and_demand_that_is_met():
    old = sample.snapshot()
    assert old.outcomes
    one = old.outcomes[0]
    shape = one.label or one.resources.text()
    grown = (replace(one, count=one.count + 5), *old.outcomes[1:])
    assert lines(lambda s: replace(s, outcomes=grown)) == [
        f"waits: {one.count + 5:,} × {shape} ({one.count:,} before)"
    ]
    told = lines(lambda s: replace(s, outcomes=()))
    assert f"waits no longer: {shape}" in told
    again = changes(replace(old, outcomes=()), old)
    assert any(f"waits: {one.count:,} × {shape}: " in line for line in again)


def test_a_failure_and_its_end():
    failure = LaunchFailure(
        "gpu-a10", FailureKind.CAPACITY, "no room\nat all", sample.NOW, sample.NOW + 60
    )
    (line,) = lines(lambda old: replace(old, failures=(*old.failures, failure)))
    assert "launch failed: gpu-a10" in line
    assert "no room at all" in line
    told = changes(
        replace(sample.snapshot(), failures=(failure,)), replace(sample.snapshot(), failures=())
    )
    assert any("no longer avoided: gpu-a10" in one for one in told)


def test_a_pause_and_trouble_are_told_and_their_end():
    paused = replace(sample.snapshot(), paused_by="ana", trouble="the disk is full")
    assert lines(lambda _: paused) == ["⏸ autoscaler paused by ana", "✕ the disk is full"]
    back = [line[10:] for line in changes(paused, sample.snapshot())]
    assert back == ["● autoscaler live", "no longer: ✕ the disk is full"]


def test_a_floor_is_told():
    types = sample.snapshot().types
    raised = (replace(types[1], min=types[1].min + 2), *types[2:])
    (line,) = lines(lambda old: replace(old, types=(types[0], *raised)))
    assert line.startswith(f"node type {types[1].name}: {types[1].min + 2} to ")


def test_words_of_the_cluster_cannot_steer_the_terminal():
    event = Event(10_000, sample.NOW, Level.INFO, "\x1b[2J\x1b]0;x\x07one\ntwo\x00")
    (line,) = lines(lambda old: replace(old, events=(event, *old.events)))
    assert line.isprintable()
    assert "one two" in line


# The program.


@contextmanager
def watching(*args: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "raytui", "status", *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    yield process
    process.kill()
    process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Lines up to the one with these words."""
    assert process.stdout is not None
    got = []
    for line in process.stdout:
        got.append(line.rstrip("\n"))
        if words in line:
            return got
    raise AssertionError(got)


@pytest.mark.parametrize(
    "args", [("--watch", "toy"), ("--watch", "0.2", "toy"), ("toy", "--watch")]
)
def test_the_number_of_seconds_may_be_left_out(toy: DaemonProcess, args: tuple[str, ...]):
    with watching(*args) as process:
        assert read_until(process, "toy")[0].startswith("toy · scripted")


def test_it_prints_the_whole_once_then_changes_and_ends_well(toy: DaemonProcess):
    with watching("--watch", "0.1", "toy") as process:
        head = read_until(process, "PENDING DEMAND")
        assert head[0].startswith("toy · scripted")
        raytui("scale", "cpu", "1", "-c", "toy")
        changed = read_until(process, "n1: ")
        assert "NODE TYPES" not in changed
        assert not any("\x1b" in line for line in head + changed)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == ExitCode.OK


def test_it_says_that_it_lost_the_daemon_and_that_it_is_back(toy: DaemonProcess):
    with watching("--watch", "0.1", "toy") as process:
        read_until(process, "PENDING DEMAND")
        toy.end()
        read_until(process, "no connection to toy, trying again")
        again = DaemonProcess("toy").wait_ready(ClusterPaths("toy"))
        read_until(process, "connected to toy again after")
        raytui("scale", "cpu", "2", "-c", "toy")
        read_until(process, "n2: ")
        again.end()
