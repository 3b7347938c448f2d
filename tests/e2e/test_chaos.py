"""Violence against a real cluster under load: it converges; nothing is leaked or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from raytui.autoscaler.loop.ledger import Ledger
from tests.e2e.conftest import Drive, Program
from tests.support import processes
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

WAVES = """
import pathlib
@ray.remote(num_cpus=1)
def work(number):
    time.sleep(0.5)
    return number
stop, asked, done = pathlib.Path({stop!r}), 0, 0
while not stop.exists():
    wave = [work.remote(n) for n in range(asked, asked + 40)]
    asked += 40
    done += len(set(ray.get(wave)))
    time.sleep(7)  # longer than the idle timeout: nodes leave between the waves
print("finished", done, "of", asked, flush=True)
"""


def test_twenty_kills_of_the_daemon_under_load(program: Program, drive: Drive) -> None:
    file, chance = program.file("shot"), random.Random(20)
    assert program.run("up", str(file)).returncode == 0
    paths, stop = program.paths("shot"), program.folder / "stop"
    driver = drive(program.status("shot")["gcs_address"], WAVES.format(stop=str(stop)))
    os.kill(daemon_pid(program, "shot"), signal.SIGKILL)

    for _ in range(20):
        daemon = start_daemon(program, "shot")
        eventually(lambda daemon=daemon: daemon_pid(program, "shot") == daemon.pid, 30)
        moment = time.monotonic() + chance.uniform(0.0, 3.0)
        while time.monotonic() < moment:
            assert most(Counter(workers(program))) <= 1  # one process an instance
            assert len(workers(program)) <= 3  # max_workers
            assert driver.poll() is None
            time.sleep(0.05)
        daemon.kill()
        daemon.wait()

    daemon = start_daemon(program, "shot")
    stop.touch()
    words = finish(driver, 120).split()
    assert words[0] == "finished"
    assert words[1] == words[3] != "0"
    eventually(lambda: not workers(program), 60)  # idle nodes leave
    ledger = Ledger(paths.ledger)
    eventually(lambda: [i.is_head for i in ledger.open_instances()] == [True], 20)
    assert ledger.open_requests() == []
    assert not list(paths.instances.glob("small-*.json"))
    ended = {name for d in ledger.decisions() for name in (x.node_type for x in d.plan.launches)}
    assert ended == {"small"}
    ledger.close()
    assert program.run("down", "shot", "-y").returncode == 0
    daemon.wait(30)


SLOW = """
@ray.remote(num_cpus=2, max_retries=-1)
def work(number):
    time.sleep(3)
    return number
print("finished", len(set(ray.get([work.remote(n) for n in range(24)]))), flush=True)
"""


def test_a_frozen_and_a_killed_raylet_under_load(program: Program, drive: Drive) -> None:
    file = program.file("frozen")
    assert program.run("up", str(file)).returncode == 0
    assert program.run("scale", "small", "2", "-c", "frozen").returncode == 0
    eventually(lambda: running(program, "frozen") == 2, 90)
    address = program.status("frozen")["gcs_address"]
    first, second = sorted(workers(program))
    driver = drive(address, SLOW)
    eventually(lambda: busy(program, "frozen") == 2, 90)

    processes.raylet_below(processes.of_instance(first)[0].pid).send_signal(signal.SIGSTOP)
    frozen = processes.of_instance(first)
    processes.raylet_below(processes.of_instance(second)[0].pid).kill()

    assert finish(driver, 200) == "finished 24"
    # The frozen one was given up, too, and cleared away with all its processes.
    eventually(lambda: first not in workers(program), 120)
    eventually(lambda: all(processes.is_gone(p) for p in frozen), 30)
    eventually(lambda: running(program, "frozen") == 2, 90)
    assert not {first, second} & set(workers(program))
    said = "\n".join(event["text"] for event in program.status("frozen")["events"])
    assert f"lost small {first}" in said
    assert f"lost small {second}" in said


def test_a_gcs_that_is_silent_and_one_that_dies(program: Program, drive: Drive) -> None:
    file = program.file("deaf")
    assert program.run("up", str(file)).returncode == 0
    assert program.run("scale", "small", "2", "-c", "deaf").returncode == 0
    eventually(lambda: running(program, "deaf") == 2, 90)
    before = set(workers(program))

    # Silent for longer than the idle timeout: nothing is removed in the dark.
    gcs = gcs_of(program)
    gcs.send_signal(signal.SIGSTOP)
    eventually(lambda: not source(program, "deaf", "gcs")["ok"], 30)
    assert program.run("scale", "small", "0", "-c", "deaf").returncode == 0
    quiet_until = time.monotonic() + 10
    while time.monotonic() < quiet_until:
        assert set(workers(program)) == before
        time.sleep(0.2)
    gcs.send_signal(signal.SIGCONT)
    eventually(lambda: source(program, "deaf", "gcs")["ok"], 60)
    eventually(lambda: not workers(program), 90)

    # Dead: the head goes with it, and `up` makes it anew with what was wished for before.
    assert program.run("scale", "small", "1", "-c", "deaf").returncode == 0
    eventually(lambda: running(program, "deaf") == 1, 90)
    gcs_of(program).kill()
    eventually(lambda: "head is down" in program.run("status", "deaf").stdout, 60)
    assert program.run("up", str(file)).returncode == 0
    eventually(lambda: running(program, "deaf") == 1, 120)
    assert len(workers(program)) == 1
    driver = drive(program.status("deaf")["gcs_address"], SLOW)
    assert finish(driver, 120) == "finished 24"


def finish(driver: subprocess.Popen[str], within_s: float) -> str:
    """The line in which a driver says that it is done; around it Ray warns of nodes that die."""
    lines = driver.communicate(timeout=within_s)[0].splitlines()
    return next((line for line in lines if line.startswith("finished")), "\n".join(lines[-20:]))


def start_daemon(program: Program, name: str) -> subprocess.Popen[bytes]:
    """A daemon as an init system would start it."""
    with (program.folder / "daemon.out").open("ab") as out:
        return subprocess.Popen(
            program.argv("--daemon", str(program.folder / f"{name}.yaml")),
            env={**os.environ, **program.env},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )


def daemon_pid(program: Program, name: str) -> int:
    return int(json.loads(program.paths(name).lock.read_text() or '{"pid": 0}')["pid"])


def workers(program: Program) -> list[str]:
    """The instance id of every `ray start` of a worker that runs."""
    found = {}
    for process in program.processes():
        name = quietly(process.environ, {}).get("RAY_CLOUD_INSTANCE_ID", "")
        if "ray.scripts.scripts" in quietly(process.cmdline, []) and name.startswith("small-"):
            found[process.pid] = (name, quietly(process.ppid, 0))
    # Between fork and exec a child still looks like its parent.
    return [name for name, parent in found.values() if parent not in found]


def quietly(question: Callable[[], Any], absent: Any) -> Any:
    try:
        return question()
    except psutil.Error:
        return absent


def most(counts: Counter[str]) -> int:
    return max(counts.values(), default=0)


def gcs_of(program: Program) -> psutil.Process:
    return next(p for p in program.processes() if quietly(p.name, "") == "gcs_server")


def source(program: Program, name: str, wanted: str) -> dict:
    return next(s for s in program.status(name)["sources"] if s["name"] == wanted)


def running(program: Program, name: str) -> int:
    kinds = program.status(name)["node_types"]
    return sum(kind["running"] for kind in kinds if kind["name"] == "small")


def busy(program: Program, name: str) -> int:
    nodes = program.status(name)["nodes"]
    return sum(1 for node in nodes if not node["is_head"] and node["idle_s"] is None)
