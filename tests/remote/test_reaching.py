"""The client of a cluster whose daemon is on another machine: real sshd, real hosts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from raytui.client.base import ClientError, Link, LinkState
from raytui.client.daemon import DaemonClient
from raytui.client.reached import client_for
from raytui.config.launched import forget, recall, remember
from raytui.config.locations import ClusterPaths
from raytui.model.snapshot import Snapshot
from raytui.model.spec import AuthSpec
from raytui.provisioning.own_wheel import PROGRAM
from tests.remote.conftest import start_daemon
from tests.support.away import in_home, install, stop_daemon
from tests.support.on_premise import OnPremise

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


def test_status_and_orders_reach_the_daemon_on_the_head(elsewhere: OnPremise):
    done = elsewhere.raytui("status", "away")
    assert done.returncode == 0, done.stderr
    assert elsewhere.head.address in done.stdout
    assert f"{elsewhere.workers[0].address}-c0ffee" in done.stdout
    assert f"Ray Client ray://{elsewhere.head.address}:10001" in done.stdout
    ordered = elsewhere.raytui("scale", "cpu", "2", "-c", "away")
    assert (ordered.returncode, ordered.stderr) == (0, "floor 2\n")


def test_a_cluster_that_somebody_else_launched_is_reached_by_its_file(
    elsewhere: OnPremise, tmp_path: Path
):
    done = subprocess.run(
        elsewhere.argv("status", str(elsewhere.file)),
        env={"PATH": "/usr/bin:/bin", **elsewhere.environment, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert elsewhere.head.address in done.stdout


def test_how_the_daemon_does_is_told_by_its_own_machine(elsewhere: OnPremise):
    done = elsewhere.raytui("daemon", "status", "away", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["cluster"], told["well"]) == ("away", True)
    assert told["log"].startswith("/home/ray/")


def test_a_plan_is_made_on_the_head_and_not_of_another_file(elsewhere: OnPremise):
    edited = elsewhere.folder / "edited.yaml"
    edited.write_text(elsewhere.file.read_text().replace('minutes": 5', 'minutes": 6'))
    done = elsewhere.raytui("plan", str(edited))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not what away was launched as" in done.stderr


def unreachable(cluster: OnPremise) -> str:
    """What `raytui status` says when it does not reach the cluster: one line."""
    done = cluster.raytui("status", "away")
    assert (done.returncode, done.stdout) == (3, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"raytui: no connection to away: {cluster.head.address}: ")
    return line


def test_a_host_without_raytui_is_told_and_what_installs_it(elsewhere: OnPremise):
    in_home(elsewhere.head, "rm", PROGRAM)
    try:
        line = unreachable(elsewhere)
    finally:
        install(elsewhere.head)
    assert "raytui cannot be run there" in line
    assert f"raytui up {elsewhere.file} installs it" in line


def test_an_autoscaler_that_does_not_run_is_told_and_what_starts_it(
    bare: OnPremise,
):
    line = unreachable(bare)
    assert "no autoscaler of this cluster runs" in line
    assert f"raytui up {bare.file}" in line


def test_a_key_that_the_host_does_not_know_is_told_with_what_was_tried(
    laptop: OnPremise, tmp_path: Path
):
    key = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    spec = launched_as(laptop)
    try:
        remember(paths(), msgspec.structs.replace(spec, auth=AuthSpec("ray", str(key))))
        line = unreachable(laptop)
    finally:
        remember(paths(), spec)
    assert "ray is not let in" in line
    assert str(key) in line


def test_an_unknown_host_is_told_with_the_command_that_accepts_it(laptop: OnPremise):
    laptop.know_hosts([])
    try:
        line = unreachable(laptop)
    finally:
        laptop.know_hosts()
    assert "unknown host key" in line
    assert "accept it once with: ssh " in line


def test_a_machine_that_is_away_is_told(laptop: OnPremise):
    with laptop.head.cut_off():
        assert "no connection (" in unreachable(laptop)


async def test_a_changed_host_key_stops_the_watch_and_the_last_picture_stays(
    watched: DaemonClient, laptop: OnPremise
):
    news = watched.updates()
    await until(news, lambda one: isinstance(one, Snapshot))
    await asyncio.to_thread(laptop.head.change_key)
    for connection in laptop.head.sshd(listener=False):
        connection.kill()
    try:
        lost = await until(news, lambda one: is_lost(one) and "has changed" in one.error)
        assert "ssh-keygen -R" in lost.error
        with pytest.raises(ClientError, match="has changed"):
            await watched.history()
    finally:
        laptop.know_hosts()


async def test_a_cut_of_thirty_seconds_is_survived(watched: DaemonClient, laptop: OnPremise):
    news = watched.updates()
    seen = await until(news, lambda one: isinstance(one, Snapshot))
    with laptop.head.cut_off():
        cut_at = time.monotonic()
        lost = await until(news, is_lost)
        assert "the host fell silent" in lost.error
        # What is measured is a cut of this length, so it has to last as long.
        await asyncio.sleep(max(0.0, cut_at + 30 - time.monotonic()))
    again = await until(news, lambda one: isinstance(one, Snapshot) and one.seq > seen.seq)
    assert [row.id for row in again.rows] == [row.id for row in seen.rows]


async def test_a_cluster_that_is_taken_down_from_here_is_told_as_down(
    watched: DaemonClient, laptop: OnPremise
):
    spec = launched_as(laptop)
    news = watched.updates()
    await until(news, lambda one: isinstance(one, Snapshot))
    forget(paths())
    try:
        for connection in laptop.head.sshd(listener=False):
            connection.kill()
        closed = await until(news, lambda one: getattr(one, "link", None) is Link.CLOSED)
        assert closed.error == "the cluster is down"
    finally:
        remember(paths(), spec)


# What the tests stand on


@pytest.fixture
async def watched(laptop: OnPremise):
    client = client_for(launched_as(laptop), paths(), read_only=True)
    yield client
    await client.close()


@pytest.fixture
def bare(elsewhere: OnPremise) -> Iterator[OnPremise]:
    """The cluster while its daemon is stopped."""
    stop_daemon(elsewhere)
    yield elsewhere
    start_daemon(elsewhere)


def paths() -> ClusterPaths:
    return ClusterPaths("away")


def launched_as(laptop: OnPremise):
    spec = recall(paths())
    assert spec is not None
    return spec


def is_lost(news: object) -> bool:
    return isinstance(news, LinkState) and news.link is Link.LOST


async def until(news, holds: Callable[[object], bool], within_s: float = 60):
    """The first news for which this holds."""
    async with asyncio.timeout(within_s):
        async for one in news:
            if holds(one):
                return one
    raise AssertionError("the news ended")
