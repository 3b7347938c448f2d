"""Lines, versions, and deltas that add up."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytui.model import wire
from raytui.model.command import Ack, Pause, RequestResources, Terminate
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Decision, Plan
from raytui.model.reason import Why, because
from raytui.model.resources import Resources
from raytui.model.snapshot import (
    ClusterInfo,
    Event,
    Level,
    Row,
    Snapshot,
    apply,
    difference,
)
from raytui.model.state import Instance, Member

names = st.sampled_from([f"n{number}" for number in range(8)])
rows = st.builds(
    lambda name, status, idle: Row(
        Member(Instance(name, "cpu", status)), because(Why.IDLE, since=idle) if idle else None
    ),
    names,
    st.sampled_from([InstanceStatus.RUNNING, InstanceStatus.DRAINING]),
    st.integers(0, 3),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    """Snapshots that follow one another: rows come and go, the journal grows, is bounded."""
    events: list[Event] = []
    decisions: list[Decision] = []
    kept = draw(st.integers(0, 4))
    snapshots = []
    for seq in range(1, draw(st.integers(2, 5)) + 1):
        for _ in range(draw(st.integers(0, 3))):
            events.insert(0, Event(len(events) + 1, seq, Level.INFO, "event"))
            decisions.insert(0, Decision(len(decisions) + 1, seq, Plan(), "decided"))
        if decisions and draw(st.booleans()):
            changed = draw(st.integers(0, len(decisions) - 1))
            decisions[changed] = msgspec.structs.replace(decisions[changed], outcome=f"at {seq}")
        snapshots.append(
            Snapshot(
                ClusterInfo("toy", "scripted"),
                seq=seq,
                taken_at=float(seq),
                rows=tuple(draw(st.lists(rows, max_size=6, unique_by=lambda row: row.id))),
                events=tuple(events[:kept]),
                decisions=tuple(decisions[:kept]),
                trouble=draw(st.sampled_from(["", "full disk"])),
            )
        )
    return snapshots


@given(histories(), st.data())
def test_a_delta_turns_one_snapshot_into_a_later_one(history: list[Snapshot], data: st.DataObject):
    old = data.draw(st.sampled_from(history))
    new = history[-1]
    line = wire.line_of(wire.DeltaIs(difference(old, new)))
    message = wire.read_message(line)
    assert isinstance(message, wire.DeltaIs)
    assert apply(old, message.delta) == new


@given(histories())
def test_a_delta_for_another_snapshot_is_refused(history: list[Snapshot]):
    delta = difference(history[0], history[-1])
    with pytest.raises(ValueError, match="delta is for snapshot"):
        apply(history[-1], delta)


@given(st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=8), st.data())
def test_lines_come_out_whole_however_the_stream_is_cut(lines: list[bytes], data: st.DataObject):
    stream = b"".join(line + b"\n" for line in lines)
    splitter = wire.LineSplitter(limit=20)
    out: list[bytes | None] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += splitter.feed(stream[:size])
        stream = stream[size:]
    assert out == lines


def test_a_line_too_long_is_marked_and_the_next_one_is_read():
    splitter = wire.LineSplitter(limit=5)
    out = [line for piece in (b"abc", b"def", b"ghi\nfine\n") for line in splitter.feed(piece)]
    assert out == [None, b"fine"]


@pytest.mark.parametrize(
    "message",
    [
        wire.Subscribe(),
        wire.DoCommand(1, Terminate(("i-1", "i-2"), 60.0), "alice@laptop"),
        wire.DoCommand(2, RequestResources(((Resources.of(CPU=4, GPU=0.5), 3),))),
        wire.DoCommand(3, Pause()),
        wire.History(4, before=17, limit=5),
        wire.ImpactOf(5, ("i-1",)),
        wire.LogTail(6, "i-1", 10),
    ],
    ids=lambda message: type(message).__name__,
)
def test_requests_survive_the_line(message: wire.ClientMessage):
    line = wire.line_of(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert wire.read_request(line) == message


def test_newlines_in_texts_stay_inside_the_line():
    line = wire.line_of(wire.AckIs(1, Ack(False, "two\nlines")))
    assert line.count(b"\n") == 1
    assert wire.read_message(line) == wire.AckIs(1, Ack(False, "two\nlines"))


@pytest.mark.parametrize(
    ("line", "question"),
    [
        (b"", None),
        (b"not json", None),
        (b"\xff\xfe", None),
        (b'{"type": "dance", "id": 7}', 7),
        (b'{"type": "command", "id": 8, "command": {"type": "dance"}}', 8),
        (b'{"type": "history", "id": "eight"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_no_message_is_a_wire_error_with_the_questions_id(
    line: bytes, question: int | None
):
    with pytest.raises(wire.WireError) as raised:
        wire.read_request(line)
    assert raised.value.id == question
    assert "\n" not in str(raised.value)


def test_a_field_of_a_newer_peer_is_ignored():
    line = b'{"type": "log-tail", "id": 1, "instance_id": "i-1", "colour": true}'
    assert wire.read_request(line) == wire.LogTail(1, "i-1")


def test_another_protocol_version_is_one_clear_sentence():
    line = wire.line_of(wire.Hello(wire.PROTOCOL + 1, "9.9", "laptop", 1))
    with pytest.raises(wire.WireError, match=r"runs raytui 9\.9 .* use the same version"):
        wire.check_hello(wire.read_message(line))


def test_who_does_not_greet_is_no_daemon():
    with pytest.raises(wire.WireError, match="did not greet"):
        wire.check_hello(wire.AckIs(1, Ack(True, "")))


def picture(seq: int, *names: str) -> Snapshot:
    members = (Member(Instance(name, "cpu", InstanceStatus.RUNNING)) for name in names)
    return Snapshot(ClusterInfo("toy", "x"), seq, 1.0, rows=tuple(map(Row, members)))


def test_messages_come_out_however_the_bytes_are_cut():
    said = [wire.Hello(1, "0", "toy", 7), wire.SnapshotIs(picture(1, "a")), wire.Error("no")]
    data = b"".join(map(wire.line_of, said))
    for size in (1, 7, 1000):
        reader = wire.MessageReader()
        parts = (data[at : at + size] for at in range(0, len(data), size))
        assert [message for part in parts for message in reader.feed(part)] == said


def test_what_came_before_a_line_that_is_no_message_is_still_read():
    messages = wire.MessageReader().feed(wire.line_of(wire.Error("first")) + b"what?\n")
    assert next(messages) == wire.Error("first")
    with pytest.raises(wire.WireError, match="not a message"):
        next(messages)


def test_the_newest_picture_is_kept_by_deltas():
    first, second = picture(1, "a"), picture(2, "a", "b")
    newest = wire.Newest()
    assert newest.take(wire.SnapshotIs(first)) == first
    assert newest.take(wire.DeltaIs(difference(first, second))) == second == newest.snapshot


def test_a_delta_of_another_picture_asks_for_a_whole_one():
    newest = wire.Newest()
    newest.take(wire.SnapshotIs(picture(1, "a")))
    misfit = wire.DeltaIs(difference(picture(5, "a"), picture(6, "a")))
    with pytest.raises(wire.MisfitError):
        newest.take(misfit)
    assert newest.take(misfit) is None, "it has nothing to stand on now"
    assert newest.take(wire.SnapshotIs(picture(7))) == picture(7)
