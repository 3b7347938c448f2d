"""The daemon on a real head makes nodes of real hosts: killed in mid-step, with another file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import hosts
from tests.support.hosts import Host, wait_until
from tests.support.on_premise import OnPremise, cluster_of_hosts

pytestmark = [pytest.mark.ssh, pytest.mark.ray, pytest.mark.slow]

WAITS = "echo x >> ~/begun; until test -e ~/go_on; do sleep 0.1; done; echo x >> ~/ended"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[OnPremise]:
    commands = ["echo x >> ~/first", WAITS]
    with (
        hosts.engine() as engine,
        cluster_of_hosts(engine, tmp_path, workers=1, worker_setup_commands=commands) as one,
    ):
        yield one


def lines(host: Host, name: str) -> int:
    return int(host.run("sh", "-c", f"cat /home/ray/{name} 2>/dev/null | wc -l"))


def daemon(cluster: OnPremise) -> int:
    """Its pid on the head."""
    lock = f"/home/ray/.local/state/raytui/{cluster.name}/daemon.lock"
    return int(json.loads(cluster.head.run("cat", lock))["pid"])


def raylets(host: Host) -> list[str]:
    """Their pids."""
    return host.run("sh", "-c", "pgrep -x raylet || true").split()


def running(cluster: OnPremise) -> int:
    """Workers that Ray sees."""
    done = cluster.raytui("status", cluster.name, "--json")
    nodes = json.loads(done.stdout)["nodes"] if done.returncode == 0 else []
    return sum(not node["is_head"] and node["status"] == "running" for node in nodes)


def test_a_killed_daemon_goes_on_and_a_new_file_reaches_nodes_that_run(cluster: OnPremise):
    (worker,) = cluster.workers
    with cluster.start("up", str(cluster.file), "-y") as up:
        wait_until(lambda: lines(worker, "begun") == 1, "the set-up", up)
        before = daemon(cluster)
        cluster.head.run("kill", "-KILL", str(before))
        wait_until(lambda: lines(worker, "begun") == 2, "the set-up to go on")
        assert daemon(cluster) != before
        worker.run("touch", "/home/ray/go_on")
        up.communicate(timeout=120)
    wait_until(lambda: running(cluster) == 1, "the worker")
    assert [lines(worker, name) for name in ("first", "ended")] == [1, 1]
    first = raylets(worker)
    assert len(first) == 1

    cluster.write(worker_setup_commands=["echo x >> ~/third"])
    done = cluster.raytui("up", str(cluster.file), "-y")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: lines(worker, "third") >= 1, "the new command")
    wait_until(lambda: len(raylets(worker)) == 1 and raylets(worker) != first, "Ray anew")
    wait_until(lambda: running(cluster) == 1, "the worker")
    assert lines(worker, "begun") == 2
