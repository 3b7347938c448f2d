"""A client through `raytui daemon connect --stdio`, as ssh would run it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from raytui.client.base import ClientError, Link, LinkState
from raytui.client.daemon import DaemonClient
from raytui.client.transport import StdioTransport, TransportError
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.model import wire
from raytui.model.command import SetFloor
from tests.control.conftest import DaemonProcess, snapshot_where
from tests.control.scripted_engine import ScriptedEngine
from tests.support.clusters import kind, spec

BRIDGE = [sys.executable, "-m", "raytui", "daemon", "connect", "--stdio", "--cluster", "toy"]


@pytest.fixture(autouse=True)
def _launched(paths: ClusterPaths) -> None:
    remember(paths, msgspec.structs.replace(spec(kind("cpu")), cluster_name="toy"))


@pytest.fixture
async def bridged() -> AsyncIterator[DaemonClient]:
    client = DaemonClient("toy", StdioTransport(BRIDGE))
    yield client
    await client.close()


async def test_commands_and_snapshots_pass_the_bridge(
    bridged: DaemonClient, engine: ScriptedEngine
):
    following = asyncio.create_task(snapshot_where(bridged, lambda s: len(s.rows) == 3))
    assert (await bridged.send(SetFloor("cpu", 3))).ok
    assert [row.id for row in (await following).rows] == ["n1", "n2", "n3"]


async def test_a_large_cluster_passes_the_bridge(bridged: DaemonClient, engine: ScriptedEngine):
    engine.nodes = [f"n{number}" for number in range(5000)]
    engine.dirty = True
    shown = await snapshot_where(bridged, lambda s: len(s.rows) == 5000)
    assert shown.row("n4999") is not None


async def test_the_bridges_last_words_are_the_links_error(bridged: DaemonClient):
    with pytest.raises(ClientError, match="no daemon listens on"):
        await bridged.history()


@pytest.mark.parametrize("noise", [r"welcome\n", r"one\ntwo {braces}\n\n"])
async def test_what_login_files_print_is_left_out(noise: str, engine: ScriptedEngine):
    bridge = ["sh", "-c", f"printf '{noise}'; exec \"$@\"", "sh", *BRIDGE]
    client = DaemonClient("toy", StdioTransport(bridge))
    assert (await client.send(SetFloor("cpu", 1))).ok
    await client.close()


async def test_how_the_command_ended_is_explained():
    def explain(code: int, words: str) -> TransportError:
        return TransportError(f"ended with {code}, saying {words}")

    bridge = StdioTransport(["sh", "-c", "echo it is away >&2; exit 7"], explain=explain)
    client = DaemonClient("toy", bridge)
    with pytest.raises(ClientError, match="ended with 7, saying it is away"):
        await client.history()
    await client.close()


async def test_a_command_that_is_not_there_is_told():
    client = DaemonClient("toy", StdioTransport(["/no/such/program"]))
    with pytest.raises(ClientError, match="cannot run /no/such/program"):
        await client.history()
    await client.close()


async def test_through_the_bridge_too_a_killed_daemons_successor_is_found(
    bridged: DaemonClient, spawn: Callable[[], DaemonProcess]
):
    first = await asyncio.to_thread(spawn)
    pids: list[int] = []
    links: list[Link] = []
    async with asyncio.timeout(60):
        async for news in bridged.updates():
            if isinstance(news, LinkState):
                links.append(news.link)
                if links[-2:] == [Link.LIVE, Link.LOST]:
                    await asyncio.to_thread(spawn)
                continue
            pids.append(news.info.daemon_pid)
            if len(set(pids)) == 2:
                break
            if len(pids) == 1:
                await asyncio.to_thread(first.end, 9)
    assert pids[0] == first.process.pid


async def test_closing_ends_the_bridge_process(engine: ScriptedEngine):
    process = await asyncio.create_subprocess_exec(
        *BRIDGE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    hello = wire.read_message(await asyncio.wait_for(process.stdout.readline(), 20))
    assert isinstance(hello, wire.Hello)
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 20) == 0
