"""Two clusters of different names on one machine don't touch each other."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Program
from tests.support import processes
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]


def test_what_happens_to_one_does_not_happen_to_the_other(program: Program) -> None:
    for name in ("left", "right"):
        assert program.run("up", str(program.file(name))).returncode == 0
        assert program.run("scale", "small", "1", "-c", name).returncode == 0
    for name in ("left", "right"):
        eventually(lambda name=name: busy_or_idle(program.status(name)) == 1, 90)
    left, right = program.status("left"), program.status("right")
    assert left["gcs_address"] != right["gcs_address"]
    assert not {n["node_id"] for n in left["nodes"]} & {n["node_id"] for n in right["nodes"]}

    assert program.run("down", "left", "-y").returncode == 0
    eventually(lambda: not processes.using(program.paths("left").ray_temp), 15)
    after = program.status("right")
    assert [(n["node_id"], n["status"]) for n in after["nodes"]] == [
        (n["node_id"], n["status"]) for n in right["nodes"]
    ]
    assert program.run("status", str(program.file("left"))).returncode == 3


def busy_or_idle(status: dict) -> int:
    return sum(kind["running"] for kind in status["node_types"] if kind["name"] == "small")
