"""What the control socket does with clients that misbehave."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys

import pytest

from raytui.autoscaler.daemon.server import may_connect, peer_uid, recorded_name, user_name
from raytui.config.locations import ClusterPaths
from raytui.model import wire
from raytui.model.command import SetFloor
from raytui.model.snapshot import Snapshot, apply
from tests.control.scripted_engine import ScriptedEngine

pytestmark = pytest.mark.usefixtures("engine")


class RawClient:
    """Speaks in lines, so that it can say anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, paths: ClusterPaths) -> RawClient:
        path = os.fspath(paths.socket)
        client = cls(*await asyncio.open_unix_connection(path, limit=1 << 26))
        assert isinstance(await client.hear(), wire.Hello)
        return client

    async def hear(self) -> wire.ServerMessage:
        return wire.read_message(await asyncio.wait_for(self.reader.readline(), 5))

    async def say(self, line: bytes | wire.ClientMessage) -> None:
        self.writer.write(line if isinstance(line, bytes) else wire.line_of(line))
        await self.writer.drain()

    async def ask(self, line: bytes | wire.ClientMessage) -> wire.ServerMessage:
        await self.say(line)
        return await self.hear()


@pytest.fixture
async def raw(engine: ScriptedEngine, paths: ClusterPaths):
    client = await RawClient.connect(paths)
    yield client
    client.writer.close()


async def test_nonsense_gets_an_error_and_the_connection_goes_on(raw: RawClient):
    for nonsense in (b"hello?\n", b"\xff\xfe\n", b'{"type":"dance"}\n', b"[1,2]\n"):
        assert isinstance(await raw.ask(nonsense), wire.Error)
    assert isinstance(await raw.ask(wire.History(1)), wire.HistoryIs)


async def test_an_error_names_the_question_it_answers(raw: RawClient):
    answer = await raw.ask(b'{"type":"command","id":42,"command":{"type":"dance"}}\n')
    assert isinstance(answer, wire.Error)
    assert answer.id == 42


async def test_empty_lines_are_nothing(raw: RawClient):
    await raw.say(b"\n\r\n  \n")
    assert isinstance(await raw.ask(wire.History(1)), wire.HistoryIs)


async def test_an_endless_line_gets_an_error_and_the_connection_goes_on(raw: RawClient):
    await raw.say(b"x" * (3 * wire.MAX_REQUEST_BYTES) + b"\n")
    answer = await raw.hear()
    assert isinstance(answer, wire.Error)
    assert "longer than" in answer.message
    assert isinstance(await raw.ask(wire.History(1)), wire.HistoryIs)


async def test_limits_of_questions_are_bounded(raw: RawClient, engine: ScriptedEngine):
    engine.nodes.append("n1")
    answer = await raw.ask(wire.LogTail(1, "n1", 10**9))
    assert isinstance(answer, wire.LogIs)
    assert len(answer.lines) == 10_000
    assert isinstance(await raw.ask(wire.History(2, limit=-5)), wire.HistoryIs)


async def test_subscribing_again_gives_a_whole_snapshot_again(raw: RawClient):
    assert isinstance(await raw.ask(wire.Subscribe()), wire.SnapshotIs)
    assert isinstance(await raw.ask(wire.Subscribe()), wire.SnapshotIs)


async def test_after_the_whole_snapshot_only_differences_come(raw: RawClient):
    first = await raw.ask(wire.Subscribe())
    assert isinstance(first, wire.SnapshotIs)
    await raw.say(wire.DoCommand(1, SetFloor("cpu", 2)))
    heard = [await raw.hear(), await raw.hear()]
    (delta,) = [message.delta for message in heard if isinstance(message, wire.DeltaIs)]
    assert [row.id for row in apply(first.snapshot, delta).rows] == ["n1", "n2"]


async def test_a_slow_reader_gets_the_newest_and_no_queue_grows(
    raw: RawClient, engine: ScriptedEngine, paths: ClusterPaths
):
    """100 changes of 500 rows are 10 MB; who did not read meanwhile gets a few of them."""
    await raw.say(wire.Subscribe())
    raw.writer.transport.pause_reading()
    other = await RawClient.connect(paths)
    for turn in range(100):
        engine.nodes = [f"t{turn}-{number}" for number in range(500)]
        answer = await other.ask(wire.DoCommand(turn, SetFloor("cpu", 0)))
        assert isinstance(answer, wire.AckIs)
    raw.writer.transport.resume_reading()
    heard, snapshot = 0, None
    while snapshot is None or not snapshot.rows or snapshot.rows[0].id != "t99-0":
        message = await raw.hear()
        heard += 1
        snapshot = _next(snapshot, message)
    assert heard < 20
    other.writer.close()


def _next(snapshot: Snapshot | None, message: wire.ServerMessage) -> Snapshot:
    if isinstance(message, wire.SnapshotIs):
        return message.snapshot
    assert snapshot is not None
    assert isinstance(message, wire.DeltaIs)
    return apply(snapshot, message.delta)


async def test_a_client_that_leaves_in_the_middle_disturbs_nobody(
    raw: RawClient, engine: ScriptedEngine, paths: ClusterPaths
):
    engine.nodes = [f"n{number}" for number in range(2000)]
    for _ in range(5):
        rude = await RawClient.connect(paths)
        await rude.say(wire.Subscribe())
        await rude.say(b'{"type":"hist')
        rude.writer.transport.abort()
    assert isinstance(await raw.ask(wire.History(1)), wire.HistoryIs)


async def test_the_journal_has_the_verified_name_beside_the_claimed_one(
    raw: RawClient, engine: ScriptedEngine
):
    await raw.ask(wire.DoCommand(1, SetFloor("cpu", 1), "mallory@elsewhere"))
    assert engine.events[-1].by == f"mallory@elsewhere as {user_name(os.getuid())}"


def test_names_are_recorded_without_tricks():
    assert recorded_name("alice@laptop", "alice") == "alice@laptop"
    assert recorded_name("alice@laptop", "ubuntu") == "alice@laptop as ubuntu"
    assert recorded_name("", "alice") == f"alice@{socket.gethostname()}"
    assert recorded_name("a\x1b[31m\nb@x", "a") == "a[31mb@x as a"
    assert len(recorded_name("x" * 10_000, "alice")) < 200


def test_only_our_own_user_and_root_may_connect():
    assert may_connect(os.getuid())
    assert may_connect(0)
    assert not may_connect(os.getuid() + 12345)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_another_user_is_refused_even_if_the_socket_lets_him_in(tmp_path):
    """The peer's uid is checked by itself, whatever the modes on the way are."""
    path = tmp_path / "open.sock"
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == 0 and str(directory).startswith("/tmp/"):
            directory.chmod(0o755)
    uids: list[int] = []

    def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uids.append(peer_uid(writer.get_extra_info("socket")))
        writer.close()

    server = await asyncio.start_unix_server(met, path)
    path.chmod(0o666)
    code = (
        "import os, socket, sys; os.setuid(65534); "
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"
    )
    await asyncio.to_thread(
        subprocess.run, [sys.executable, "-I", "-c", code, str(path)], check=True, timeout=20
    )
    server.close()
    assert uids == [65534]
    assert not may_connect(uids[0])
