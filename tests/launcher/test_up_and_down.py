"""Real Ray on this machine: up, commands, half-up states, down."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raytui.autoscaler.daemon.actor_lock import ActorLock, holder
from raytui.config.launched import launched_clusters, recall
from raytui.launcher import down, up
from raytui.launcher.daemon_process import daemon_runs
from raytui.launcher.head import find_head
from raytui.launcher.options import DownOptions
from raytui.launcher.up_here import cluster_is_up
from raytui.model.step import LaunchError, StepStatus
from raytui.provisioning.registry import provider_for
from tests.launcher.conftest import Cluster
from tests.support.waiting import eventually

DONE, SKIPPED, FAILED = StepStatus.DONE, StepStatus.SKIPPED, StepStatus.FAILED
pytestmark = [pytest.mark.ray, pytest.mark.slow]


def raytui(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "raytui", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def report(cluster: Cluster) -> dict:
    return json.loads(raytui("status", "--json", cluster.name).stdout)


def running(cluster: Cluster) -> list[str]:
    nodes = report(cluster)["nodes"]
    return [n["instance_id"] for n in nodes if n["status"] == "running" and not n["is_head"]]


def test_the_command_line_from_up_to_down(cluster: Cluster):
    done = raytui("up", str(cluster.file))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "✓ start the head" in done.stderr
    assert launched_clusters() == [cluster.name]

    done = raytui("scale", "cpu", "2", "-c", cluster.name)
    assert done.returncode == 0, done.stderr
    eventually(lambda: len(running(cluster)) == 2, what="two workers")
    row = next(t for t in report(cluster)["node_types"] if t["name"] == "cpu")
    assert (row["min"], row["max"], row["running"]) == (2, 4, 2)
    assert all(n["total"]["CPU"] == 1 for n in report(cluster)["nodes"] if not n["is_head"])

    assert raytui("scale", "cpu", "1", "-c", cluster.name).returncode == 0
    victim = running(cluster)[0]
    done = raytui("terminate", victim, "-y", "-c", cluster.name)
    assert done.returncode == 0, done.stderr
    eventually(
        lambda: victim not in [n["instance_id"] for n in report(cluster)["nodes"]], what="it left"
    )
    assert len(running(cluster)) == 1

    done = raytui("down", "-y", cluster.name)
    assert done.returncode == 0, done.stderr
    assert cluster.processes() == []
    assert launched_clusters() == []
    assert raytui("status", str(cluster.file)).returncode == 3


def test_up_twice_changes_nothing_and_completes_what_is_missing(cluster: Cluster):
    up(cluster.spec, cluster.steps.append)
    first = find_head(provider_for(cluster.spec, cluster.paths))
    pid = holder(cluster.paths.lock)
    assert cluster.ended()["start the head"] is DONE

    up(cluster.spec, cluster.steps.append)
    assert cluster.ended() == {
        "check Ray": DONE,
        "start the autoscaler": SKIPPED,
        "wait for the first nodes": DONE,
    }
    assert holder(cluster.paths.lock) == pid

    assert pid is not None
    os.kill(pid.pid, signal.SIGKILL)
    eventually(lambda: holder(cluster.paths.lock) is None, what="the daemon is dead")
    assert not daemon_runs(cluster.paths)
    assert cluster_is_up(cluster.spec, cluster.paths)
    unattended = report(cluster)
    assert unattended["autoscaler"]["running"] is False
    assert [n["status"] for n in unattended["nodes"]] == ["running"]

    up(cluster.spec, cluster.steps.append)
    assert cluster.ended()["start the head"] is SKIPPED
    assert daemon_runs(cluster.paths)
    again = find_head(provider_for(cluster.spec, cluster.paths))
    assert first is not None
    assert again is not None
    assert again.instance_id == first.instance_id


def test_a_dead_head_is_cleared_away_and_started_anew_with_its_daemon(cluster: Cluster):
    up(cluster.spec, cluster.steps.append)
    provider = provider_for(cluster.spec, cluster.paths)
    head = find_head(provider)
    assert head is not None
    for line in cluster_pids(cluster, "raylet/raylet", "gcs_server"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(line, signal.SIGKILL)
    eventually(
        lambda: not cluster_is_up(cluster.spec, cluster.paths), what="the head counts as dead"
    )
    up(cluster.spec, cluster.steps.append)
    new = find_head(provider_for(cluster.spec, cluster.paths))
    assert new is not None
    assert new.instance_id != head.instance_id
    assert [n["instance_id"] for n in report(cluster)["nodes"] if n["is_head"]] == [new.instance_id]


def cluster_pids(cluster: Cluster, *programs: str) -> list[int]:
    """Processes of the cluster's nodes that run one of the programs."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = " ".join(process.cmdline()[:1])
            ours = any(cluster.name in value for value in process.environ().values())
            if ours and any(line.endswith(program) for program in programs):
                found.append(process.pid)
    return found


def test_up_waits_for_the_floor_and_takes_a_changed_file(cluster: Cluster):
    cluster.write(floor=1)
    up(cluster.spec, cluster.steps.append)
    assert cluster.ended()["wait for the first nodes"] is DONE
    assert len(running(cluster)) == 1
    cluster.write(floor=2)
    up(cluster.spec, cluster.steps.append)
    assert cluster.ended()["stop the old autoscaler"] is DONE
    assert len(running(cluster)) == 2
    assert recall(cluster.paths) == cluster.spec


def test_reload_takes_a_good_file_and_refuses_a_bad_one(cluster: Cluster):
    up(cluster.spec, cluster.steps.append)
    good = cluster.file.read_text()
    cluster.file.write_text(good.replace("max_workers: 4", "max_workers: -4"))
    done = raytui("daemon", "reload", cluster.name)
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    cluster.file.write_text(good.replace("max_workers: 4", "max_workers: 3", 1))
    done = raytui("daemon", "reload", cluster.name)
    assert done.returncode == 0, done.stderr
    # The daemon follows its file and may have been quicker than the command.
    assert "max_workers 4 → 3" in done.stderr + raytui("status", cluster.name).stdout


def test_down_works_without_daemon_and_without_the_file(cluster: Cluster):
    cluster.write(floor=1)
    up(cluster.spec, cluster.steps.append)
    held = holder(cluster.paths.lock)
    assert held is not None
    os.kill(held.pid, signal.SIGKILL)
    text = cluster.file.read_text()
    cluster.file.unlink()
    done = raytui("down", "-y", cluster.name)
    cluster.file.write_text(text)
    assert done.returncode == 0, done.stderr
    assert cluster.processes() == []
    assert recall(cluster.paths) is None


def test_down_of_the_workers_keeps_head_and_autoscaler(cluster: Cluster):
    cluster.write(floor=1)
    up(cluster.spec, cluster.steps.append)
    (before,) = running(cluster)
    down(cluster.spec, cluster.steps.append, DownOptions(workers_only=True))
    assert daemon_runs(cluster.paths)
    eventually(lambda: len(running(cluster)) == 1, what="the floor is kept")
    assert running(cluster) != [before]


def test_two_people_who_say_up_at_once_get_one_cluster(cluster: Cluster):
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "raytui", "up", str(cluster.file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 1]), answers
    provider = provider_for(cluster.spec, cluster.paths)
    assert len([i for i in provider.list_instances() if i.is_head]) == 1
    assert daemon_runs(cluster.paths)


def test_while_somebody_takes_it_down_nobody_brings_it_up(cluster: Cluster):
    cluster.paths.make()
    refused = pytest.raises(LaunchError, match=r"pid \d+ \(down\) holds")
    with ActorLock(cluster.paths.lock, "down"), refused:
        up(cluster.spec, cluster.steps.append)
    assert FAILED in cluster.ended().values()
    assert provider_for(cluster.spec, cluster.paths).list_instances() == []


def test_a_head_that_cannot_start_leaves_nothing(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broken = tmp_path / "broken" / "ray"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('this Ray is broken')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    with pytest.raises(LaunchError, match="head") as raised:
        up(cluster.spec, cluster.steps.append)
    assert "this Ray is broken" in f"{raised.value} {raised.value.detail}"
    assert FAILED in cluster.ended().values()
    assert cluster.processes() == []
    assert recall(cluster.paths) is None
    assert provider_for(cluster.spec, cluster.paths).list_instances() == []


def test_a_daemon_in_the_foreground_is_the_only_one_and_leaves_nodes_alone(cluster: Cluster):
    cluster.write(floor=1)
    up(cluster.spec, cluster.steps.append)
    (worker,) = running(cluster)
    assert raytui("daemon", "stop", cluster.name).returncode == 0
    eventually(lambda: holder(cluster.paths.lock) is None, what="the first daemon has ended")
    foreground = subprocess.Popen(
        [sys.executable, "-m", "raytui", "--daemon", str(cluster.file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: daemon_runs(cluster.paths), what="the foreground daemon greets")
    second = raytui("--daemon", str(cluster.file))
    assert second.returncode == 1
    assert f"pid {foreground.pid} (daemon) holds" in second.stderr
    foreground.terminate()
    out, err = foreground.communicate(timeout=60)
    assert (foreground.returncode, out) == (0, "")
    assert json.loads(err.splitlines()[0])["event"] == "daemon started"
    assert running(cluster) == [worker]
