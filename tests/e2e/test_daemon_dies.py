"""kill -9 of the daemon in the middle of a launch: nothing doubled, nothing lost, nobody blind."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter

import pytest

from raytui.autoscaler.loop.ledger import Ledger
from tests.e2e.conftest import Program
from tests.e2e.terminal import lines_with
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.tmux, pytest.mark.slow, pytest.mark.timeout(300)]


def test_killed_in_mid_launch_it_neither_doubles_nor_forgets(program: Program) -> None:
    file = program.file("killed")
    assert program.run("up", str(file)).returncode == 0
    paths = program.paths("killed")
    screen = program.terminal(str(file))
    screen.wait("autoscaler live", 60)

    pid = json.loads(paths.lock.read_text())["pid"]
    assert program.run("scale", "small", "3", "-c", "killed").returncode == 0
    eventually(lambda: list(paths.instances.glob("small-*.json")), 20)
    os.kill(pid, signal.SIGKILL)

    # The terminal keeps the last picture, greyed, with its age, and goes on trying.
    stale = screen.wait("last seen", 30)
    assert "reconnecting" in stale
    assert lines_with(stale, "small", "3")
    before = Ledger(paths.ledger)
    decisions = [d.decision_id for d in before.decisions()]
    before.close()

    assert program.run("up", str(file)).returncode == 0
    screen.wait("autoscaler live", 60)
    status = eventually(lambda: s if running(s := program.status("killed")) == 3 else None, 120)

    # One process per instance, one row per process, no fourth node, no orphan.
    names = [n["instance_id"] for n in status["nodes"] if not n["is_head"]]
    starts = Counter(
        p.environ().get("RAY_CLOUD_INSTANCE_ID")
        for p in program.processes()
        if "start" in p.cmdline() and "--block" in p.cmdline()
    )
    assert {name: starts[name] for name in names} == dict.fromkeys(names, 1)
    assert len(names) == 3
    ledger = Ledger(paths.ledger)
    rows = {i.instance_id for i in ledger.open_instances() if not i.is_head}
    assert rows == set(names)
    assert ledger.open_requests() == []

    # The journal goes on where it was.
    assert [d.decision_id for d in ledger.decisions()][-len(decisions) :] == decisions
    ledger.close()
    assert program.run("down", "killed", "-y").returncode == 0
    eventually(lambda: not worker_processes(program), 15)


def running(status: dict) -> int:
    return sum(kind["running"] for kind in status["node_types"] if kind["name"] == "small")


def worker_processes(program: Program) -> list:
    return [p for p in program.processes() if p.environ().get("RAY_CLOUD_INSTANCE_ID")]
