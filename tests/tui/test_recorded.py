"""Recordings: written, read back, played; bad ones are told with their line."""

from __future__ import annotations

import asyncio

import pytest

from raytui.client.base import ClientError, Link, LinkState
from raytui.client.recorded import RecordedClient, read_recording, write_recording
from raytui.model.command import Pause
from tests.tui import sample


def test_a_recording_comes_back_as_it_was_written(tmp_path):
    updates = [sample.snapshot(1), LinkState(Link.LOST, 2, "gone"), sample.snapshot(2)]
    path = tmp_path / "west.jsonl"
    write_recording(path, updates)
    assert read_recording(path) == updates


@pytest.mark.parametrize("line", ["{", "[]", '{"snapshot": 3}', "\ufeff"])
def test_a_bad_line_is_told_by_its_number(tmp_path, line):
    path = tmp_path / "bad.jsonl"
    write_recording(path, [LinkState(Link.LIVE)])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ClientError, match=r"bad\.jsonl:2"):
        read_recording(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ClientError, match="cannot be read"):
        read_recording(tmp_path / "none.jsonl")


async def test_it_plays_in_order_then_waits_for_more_until_closed():
    client = RecordedClient([sample.snapshot(1), sample.snapshot(2)], pace_s=0)
    seen = []

    async def watch():
        async for update in client.updates():
            seen.append(getattr(update, "seq", None))

    task = asyncio.create_task(watch())
    async with asyncio.timeout(5):
        while seen != [None, 1, 2]:
            await asyncio.sleep(0)
        client.play(sample.snapshot(3))
        while seen != [None, 1, 2, 3]:
            await asyncio.sleep(0)
        await client.close()
        await task


async def test_commands_are_kept_and_answered():
    client = RecordedClient([sample.snapshot()])
    ack = await client.send(Pause())
    assert ack.ok
    assert "a recording does not act" in ack.text
    assert client.sent == [Pause()]


async def test_history_impact_and_logs_come_from_what_was_recorded():
    client = RecordedClient([sample.snapshot()], logs={"i-0a31": ["a", "b", "c"]})
    assert [d.decision_id for d in await client.history(before=1840, limit=2)] == [1839, 1838]
    busy, unknown = await client.impact(["i-0a31", "i-none"])
    assert busy.tasks == ("4 tasks: preprocess ×4",)
    assert unknown.notes == ("not in the recording",)
    assert await client.log_tail("i-0a31", 2) == ["b", "c"]
    assert await client.log_tail("i-0d05") == ["Collecting torch (cached)"]
