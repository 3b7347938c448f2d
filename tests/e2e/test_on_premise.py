"""The launcher end to end: the real program on a laptop, bare hosts, real Ray on them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import Engine, Host, wait_until
from tests.support.on_premise import OnPremise, cluster_of_hosts

pytestmark = [pytest.mark.ssh, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(420)]

NODES = 5
CPUS = os.cpu_count() or 1
"""Of each host: the containers have all processors of this machine."""

MEETING = f"""
import pathlib, ray, time

ray.init(logging_level="ERROR")

@ray.remote(num_cpus=1)
def guest():
    # no ray.get, which would give the CPU to the next guest; dead ones count: others may be done
    while len(ray.nodes()) < {NODES}:
        time.sleep(0.2)
    return pathlib.Path("~/mounted/word").expanduser().read_text()

print("the first are here", flush=True)
print(*set(ray.get([guest.remote() for _ in range({NODES * CPUS})])))
"""


def status(cluster: OnPremise) -> dict[str, Any]:
    done = cluster.raytui("status", cluster.name, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def worker_hosts(cluster: OnPremise) -> set[str]:
    """Hosts of workers as the autoscaler tells: their nodes are called after them."""
    nodes = status(cluster)["nodes"]
    return {node["instance_id"].rpartition("-")[0] for node in nodes if not node["is_head"]}


def in_use(cluster: OnPremise) -> set[str]:
    """Worker hosts on which anything runs."""
    return {host.address for host in cluster.workers if host.processes()}


def check_bare(cluster: OnPremise) -> None:
    """Nothing runs on any host but sshd."""
    left = {h.address: h.running() for h in cluster.hosts}
    assert left == {host.address: [] for host in cluster.hosts}


def check_up(cluster: OnPremise) -> str:
    """Bring it up; returns what was said meanwhile."""
    done = cluster.raytui("up", str(cluster.file), "-y")
    assert done.returncode == 0, done.stderr
    return done.stderr


def check_down(cluster: OnPremise) -> None:
    done = cluster.raytui("down", cluster.name, "-y")
    assert done.returncode == 0, done.stderr
    check_bare(cluster)


def test_up_a_job_growth_release_and_down(engine: Engine, tmp_path: Path):
    code = tmp_path / "code"
    code.mkdir()
    (code / "meeting.py").write_text(MEETING)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "word").write_text("all have met")
    with cluster_of_hosts(
        engine,
        tmp_path / "laptop",
        workers=NODES - 1,
        min_workers=1,
        max_workers=NODES - 1,
        idle_timeout_minutes=0.05,
        file_mounts={"~/mounted": str(mounted)},
    ) as cluster:
        # From bare hosts: the head's steps and the first worker's are told.
        said = check_up(cluster)
        (first,) = worker_hosts(cluster)
        assert f"{first}-" in said
        assert "start Ray 2/2" in said
        assert in_use(cluster) == {first}

        # A job that needs all hosts gets them, with the mounted files; its output is seen here.
        words = ("--working-dir", str(code), "--", "python", "meeting.py")
        job = cluster.raytui("job", "submit", "-c", cluster.name, *words)
        assert job.returncode == 0, job.stderr
        assert job.stdout.splitlines()[-1] == "all have met"
        told = [event["text"] for event in status(cluster)["events"]]
        assert any("launch" in text and "{CPU: 1} found no room" in text for text in told), told

        # Idle workers go, down to the floor; nothing stays on the hosts that they had.
        wait_until(lambda: len(in_use(cluster)) == 1, "the release of idle workers")

        check_down(cluster)
        assert not list(cluster.state.glob("launched.json"))


RAYS_EXAMPLE = """
# An unique identifier for the head node and workers of this cluster.
cluster_name: default

# Running Ray in Docker images is optional; an empty image means none.
docker: {{image: "", container_name: "", pull_before_run: true, run_options: []}}

provider:
    type: local
    head_ip: {head}
    # external_head_ip: YOUR_HEAD_PUBLIC_IP
    worker_ips: [{workers}]

auth:
    ssh_user: ray
    ssh_private_key: {key}

min_workers: 1
max_workers: 1
upscaling_speed: 1.0
idle_timeout_minutes: 5

file_mounts: {{}}
cluster_synced_files: []
file_mounts_sync_continuously: false
rsync_exclude: ["**/.git", "**/.git/**"]
rsync_filter: [".gitignore"]

initialization_commands: []
setup_commands: []
head_setup_commands: []
worker_setup_commands: []

head_start_ray_commands:
    - ray stop
    - >-
      ulimit -c unlimited && ray start --head --port=6379
      --autoscaling-config=~/ray_bootstrap_config.yaml
worker_start_ray_commands:
    - ray stop
    - ray start --address=$RAY_HEAD_IP:6379
"""
"""The keys of Ray's own `local/example-full.yaml`."""


def test_rays_own_example_is_launched_as_it_is(engine: Engine, tmp_path: Path):
    with cluster_of_hosts(engine, tmp_path / "laptop", workers=1, name="default") as cluster:
        (worker,) = (host.address for host in cluster.workers)
        text = RAYS_EXAMPLE.format(head=cluster.head.address, workers=worker, key=engine.key)
        cluster.file.write_text(text)
        check_up(cluster)
        assert worker_hosts(cluster) == {worker}
        check_down(cluster)


SLOW = "echo begun >> ~/begun && sleep 4 && echo done >> ~/done"


def test_an_up_that_was_killed_is_finished_by_the_next_and_starts_nothing_twice(
    engine: Engine, tmp_path: Path
):
    with cluster_of_hosts(engine, tmp_path / "laptop", workers=1, setup_commands=[SLOW]) as cluster:
        head, (worker,) = cluster.head, cluster.workers
        _kill_up(cluster, lambda: _exists(head, "~/begun"), "the head's set-up")
        _kill_up(cluster, lambda: "gcs_server" in head.running(), "the head's Ray")
        _kill_up(cluster, lambda: _exists(worker, "~/begun"), "the worker's set-up")
        check_up(cluster)
        # What was cut off was ended and done again, what was done was not.
        assert _lines(head, "~/begun", "~/done") == ["begun", "begun", "done"]
        assert _lines(worker, "~/done") == ["done"]
        running = head.running()
        for name in ("gcs_server", "raylet"):
            assert running.count(name) == 1
        assert worker.running().count("raylet") == 1
        assert worker_hosts(cluster) == {worker.address}
        check_down(cluster)


def test_two_clusters_share_a_pool(engine: Engine, tmp_path: Path):
    floor = {"min_workers": 1, "max_workers": 2}
    with (
        cluster_of_hosts(engine, tmp_path / "a", workers=2, name="one", **floor) as one,
        cluster_of_hosts(engine, tmp_path / "b", workers=0, name="two") as lone,
    ):
        two = replace(lone, workers=one.workers)
        two.know_hosts()
        two.write(**floor)
        check_up(one)
        check_up(two)
        both = {host.address for host in one.workers}
        assert worker_hosts(one) | worker_hosts(two) == both

        # One wants the host that the other has; it is told who has it, and gets it when it is free.
        done = one.raytui("scale", "-c", one.name, "local.cluster.node", "2")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: f"two@{two.head.address}" in json.dumps(status(one)), "the reason")
        assert two.raytui("down", two.name, "-y").returncode == 0
        assert two.head.processes() == []
        wait_until(lambda: worker_hosts(one) == both, "the freed host")
        check_down(one)
        check_bare(two)


def test_a_worker_whose_cable_is_pulled_is_replaced_and_its_host_free_when_it_is_back(
    engine: Engine, tmp_path: Path
):
    with cluster_of_hosts(
        engine, tmp_path / "laptop", workers=2, min_workers=1, max_workers=2
    ) as cluster:
        check_up(cluster)
        (address,) = worker_hosts(cluster)
        cut = next(host for host in cluster.workers if host.address == address)
        (other,) = (host for host in cluster.workers if host.address != address)
        with cut.cut_off():
            wait_until(
                lambda: worker_hosts(cluster) == {other.address}, "another host", within_s=150
            )
        wait_until(lambda: not cut.processes(), "the end of what ran there")
        check_down(cluster)


def test_a_host_taken_out_of_the_file_is_left_clean_and_one_that_is_cut_off_is_told(
    engine: Engine, tmp_path: Path
):
    with cluster_of_hosts(engine, tmp_path / "laptop", workers=2) as cluster:
        head, out, kept = cluster.hosts
        check_up(cluster)
        assert in_use(cluster) == {out.address, kept.address}
        hosts_now = {"head_ip": head.address, "worker_ips": [kept.address]}
        cluster.write(provider={"type": "local", **hosts_now})
        check_up(cluster)
        assert in_use(cluster) == {kept.address}
        with kept.cut_off():
            done = cluster.raytui("down", cluster.name, "-y")
        assert done.returncode == 1
        assert f"{kept.address} is not cleaned" in done.stderr
        assert head.running() == []
        check_down(cluster)


def _kill_up(cluster: OnPremise, holds: Callable[[], bool], what: str) -> None:
    """Launch, and have the laptop die as soon as something holds."""
    with cluster.start("up", str(cluster.file), "-y"):
        wait_until(holds, what)


def _exists(host: Host, path: str) -> bool:
    return host.run("su", "ray", "-c", f"ls -d {path} || true") != ""


def _lines(host: Host, *paths: str) -> list[str]:
    return host.run("su", "ray", "-c", f"cat {' '.join(paths)}").splitlines()
