"""A command whose answer was lost is given again under the same id."""

from __future__ import annotations

import pytest

from raytui.client.base import ClientError
from raytui.client.daemon import DaemonClient
from raytui.client.transport import Stream, UnixTransport
from raytui.config.locations import ClusterPaths
from raytui.model.command import SetFloor, Stop
from tests.control.scripted_engine import ScriptedEngine


class _Cut:
    """A connection that ends where the first answer should come."""

    def __init__(self, stream: Stream, sent: list[bytes]) -> None:
        self._stream = stream
        self._sent = sent

    async def read(self) -> bytes:
        data = await self._stream.read()
        return b"" if b'"ack"' in data else data

    async def write(self, data: bytes) -> None:
        self._sent.append(data)
        await self._stream.write(data)

    async def close(self) -> str:
        return await self._stream.close()


class _CutOnce(UnixTransport):
    """The real socket, whose first connections are cut."""

    def __init__(self, path, cuts: int) -> None:
        super().__init__(path)
        self.cuts = cuts
        self.sent: list[bytes] = []
        """What went out on connections that were cut."""

    async def open(self) -> Stream:
        stream = await super().open()
        self.cuts -= 1
        return _Cut(stream, self.sent) if self.cuts >= 0 else stream


async def test_it_is_repeated_under_its_id(engine: ScriptedEngine, paths: ClusterPaths):
    client = DaemonClient("toy", _CutOnce(paths.socket, cuts=1))
    ack = await client.send(SetFloor("cpu", 2))
    await client.close()
    assert ack.text == "floor 2"
    first, second = engine.asked
    assert first == second != ""


async def test_two_commands_have_two_ids(engine: ScriptedEngine, client: DaemonClient):
    await client.send(SetFloor("cpu", 1))
    await client.send(SetFloor("cpu", 1))
    first, second = engine.asked
    assert first != second


async def test_it_is_repeated_once_and_then_the_loss_is_told(
    engine: ScriptedEngine, paths: ClusterPaths
):
    client = DaemonClient("toy", _CutOnce(paths.socket, cuts=9))
    with pytest.raises(ClientError, match="lost before the answer came"):
        await client.send(SetFloor("cpu", 2))
    await client.close()
    assert len(engine.asked) == 2


async def test_to_stop_is_never_repeated(engine: ScriptedEngine, paths: ClusterPaths):
    transport = _CutOnce(paths.socket, cuts=9)
    client = DaemonClient("toy", transport)
    with pytest.raises(ClientError):
        await client.send(Stop())
    await client.close()
    assert len(transport.sent) == 1
