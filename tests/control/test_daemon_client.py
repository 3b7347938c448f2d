"""A client and a daemon over a real Unix socket."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Callable

import pytest

from raytui.client.base import ClientError, Link, LinkState, ReadOnlyError
from raytui.client.daemon import DaemonClient
from raytui.client.transport import UnixTransport
from raytui.config.locations import ClusterPaths
from raytui.model.command import Pause, Reload, RequestResources, SetFloor, Stop, Terminate
from raytui.model.resources import Resources
from raytui.model.snapshot import Snapshot
from raytui.model.step import StepStatus
from tests.control.conftest import DaemonProcess, snapshot_where
from tests.control.scripted_engine import ScriptedEngine


async def test_the_first_news_are_the_link_and_a_whole_snapshot(client: DaemonClient):
    news = []
    async for item in client.updates():
        news.append(item)
        if isinstance(item, Snapshot):
            break
    assert news[-2] == LinkState(Link.LIVE)
    assert news[-1].info.cluster_name == "toy"


async def test_a_command_is_answered_and_shows_in_the_next_snapshot(client: DaemonClient):
    ack = await client.send(SetFloor("cpu", 3))
    assert ack.ok
    assert ack.text == "floor 3"
    shown = await snapshot_where(client, lambda s: len(s.rows) == 3)
    assert [row.id for row in shown.rows] == ["n1", "n2", "n3"]


async def test_snapshots_after_the_first_come_as_deltas_that_add_up(
    client: DaemonClient, engine: ScriptedEngine
):
    following = asyncio.create_task(snapshot_where(client, lambda s: len(s.rows) == 5))
    for floor in (2, 4, 6):
        await client.send(SetFloor("cpu", floor))
    await client.send(Terminate(("n2",)))
    shown = await following
    assert [row.id for row in shown.rows] == ["n1", "n3", "n4", "n5", "n6"]
    assert [event.text for event in shown.events][:2] == ["terminated 1", "floor 6"]


async def test_a_refusal_is_an_answer_and_not_an_error(client: DaemonClient):
    ack = await client.send(Terminate(("nobody",)))
    assert not ack.ok
    assert "nobody" in ack.text


async def test_resources_survive_the_wire(client: DaemonClient):
    ack = await client.send(RequestResources(((Resources.of(CPU=0.5, memory=2**30), 3),)))
    assert ack.text == "3 × {CPU: 0.5, memory: 1 GiB}"


async def test_questions_are_answered_beside_the_engine(client: DaemonClient):
    await client.send(SetFloor("cpu", 1))
    await client.send(SetFloor("cpu", 2))
    assert [d.decision_id for d in await client.history()] == [2, 1]
    assert [d.decision_id for d in await client.history(before=2)] == [1]
    assert [i.instance_id for i in await client.impact(["n1", "n2"])] == ["n1", "n2"]
    assert await client.log_tail("n1", 2) == ["n1 line 0", "n1 line 1"]
    (step, _) = await client.setup_steps()
    assert (step.node, step.status) == ("n1", StepStatus.RUNNING)
    told = await client.step_output(step.node, step.name, 1)
    assert told == ["n1 set up 1/1 line 0"]


async def test_a_question_that_fails_is_a_client_error_with_its_words(client: DaemonClient):
    with pytest.raises(ClientError, match="nobody has no log"):
        await client.log_tail("nobody")


async def test_a_command_that_raises_is_told_and_the_daemon_goes_on(client: DaemonClient):
    with pytest.raises(ClientError, match="the script says raise"):
        await client.send(SetFloor("raise", 1))
    assert (await client.send(SetFloor("cpu", 1))).ok


async def test_a_crashed_tick_shows_as_trouble_and_heals(client: DaemonClient):
    await client.send(SetFloor("cpu", 1))
    await snapshot_where(client, lambda s: len(s.rows) == 1)
    troubled = asyncio.create_task(snapshot_where(client, lambda s: "says crash" in s.trouble))
    await client.send(SetFloor("crash", 1))
    shown = await troubled
    assert [row.id for row in shown.rows] == ["n1"], "the last picture stays"
    await snapshot_where(client, lambda s: s.trouble == "")


async def test_only_one_thread_touches_the_engine(client: DaemonClient, engine: ScriptedEngine):
    await asyncio.gather(*(client.send(SetFloor("cpu", floor)) for floor in range(10)))
    assert len(engine.threads) == 1


async def test_the_journal_keeps_who_gave_a_command(client: DaemonClient):
    await client.send(Pause())
    shown = await snapshot_where(client, lambda s: s.paused_by != "")
    assert "@" in shown.paused_by


async def test_a_read_only_client_sends_nothing(engine: ScriptedEngine, paths: ClusterPaths):
    client = DaemonClient("toy", UnixTransport(paths.socket), read_only=True)
    with pytest.raises(ReadOnlyError):
        await client.send(SetFloor("cpu", 3))
    assert len(await client.history()) == 0
    assert engine.nodes == []
    await client.close()


async def test_reload_goes_to_the_engines_thread(client: DaemonClient):
    assert (await client.send(Reload())).text == "read simulated-3 again"


async def test_without_a_daemon_a_question_is_an_error_at_once(paths: ClusterPaths):
    client = DaemonClient("toy", UnixTransport(paths.socket))
    with pytest.raises(ClientError, match="no daemon listens on"):
        await asyncio.wait_for(client.send(Pause()), 2)
    await client.close()
    with pytest.raises(ClientError):
        await client.send(Pause())


async def test_a_cluster_that_was_taken_down_closes_the_link(paths: ClusterPaths):
    client = DaemonClient("toy", UnixTransport(paths.socket, is_down=lambda: True))
    async with asyncio.timeout(5):
        async for news in client.updates():
            if isinstance(news, LinkState) and news.link is Link.CLOSED:
                break
    await client.close()


async def test_close_ends_updates_and_fails_open_questions(client: DaemonClient):
    async def read_all() -> list[object]:
        return [news async for news in client.updates()]

    reading = asyncio.create_task(read_all())
    await client.history()
    await client.close()
    assert await asyncio.wait_for(reading, 2)


async def test_the_socket_is_private(engine: ScriptedEngine, paths: ClusterPaths):
    mode = paths.socket.stat()
    assert stat.S_ISSOCK(mode.st_mode)
    assert stat.S_IMODE(mode.st_mode) == 0o600
    assert stat.S_IMODE(paths.socket.parent.stat().st_mode) == 0o700


async def test_a_client_finds_a_killed_daemons_successor(
    spawn: Callable[[], DaemonProcess], paths: ClusterPaths
):
    first = spawn()
    client = DaemonClient("toy", UnixTransport(paths.socket))
    links: list[LinkState] = []
    pids: list[int] = []
    killed = False
    async with asyncio.timeout(40):
        async for news in client.updates():
            if isinstance(news, LinkState):
                links.append(news)
                if news.link is Link.LOST and news.attempt >= 1 and killed:
                    killed = False
                    await asyncio.to_thread(spawn)
            else:
                pids.append(news.info.daemon_pid)
                if len(set(pids)) == 2:
                    break
                if not killed and pids == [first.process.pid]:
                    os.kill(first.process.pid, signal.SIGKILL)
                    killed = True
    assert next(link.link for link in links if link.link is not Link.CONNECTING) is Link.LIVE
    assert links[-1].link is Link.LIVE
    await client.close()


async def test_a_question_under_way_fails_when_the_daemon_is_killed(
    spawn: Callable[[], DaemonProcess], paths: ClusterPaths
):
    daemon = spawn()
    client = DaemonClient("toy", UnixTransport(paths.socket))
    await client.history()
    os.kill(daemon.process.pid, signal.SIGSTOP)
    question = asyncio.create_task(client.history())
    await asyncio.sleep(0)
    os.kill(daemon.process.pid, signal.SIGKILL)
    with pytest.raises(ClientError):
        await asyncio.wait_for(question, 5)
    await client.close()


async def test_the_stop_command_ends_the_daemon_with_an_answer(
    spawn: Callable[[], DaemonProcess], paths: ClusterPaths
):
    daemon = spawn()
    client = DaemonClient("toy", UnixTransport(paths.socket))
    assert (await client.send(Stop())).ok
    code, _, _ = await asyncio.to_thread(daemon.end, 0)
    assert code == 0
    assert not paths.socket.exists()
    await client.close()
