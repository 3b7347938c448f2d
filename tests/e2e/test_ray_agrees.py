"""Ray's own `ray status` tells the same about our cluster as we do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.conftest import Drive, Program
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

FOREVER = """
@ray.remote(num_cpus=1)
def work():
    time.sleep(600)
ray.wait([work.remote() for _ in range(40)])
"""


class RayStatus:
    """The figures in the text of `ray status`."""

    def __init__(self, program: Program, address: str) -> None:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ray")), "status", "--address", address],
            env={**os.environ, **program.env, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        self.text = done.stdout
        blocks = re.split(
            r"^(Active|Idle|Pending|Recent failures|Resources):?$", done.stdout, flags=re.M
        )
        self._block = dict(zip(blocks[1::2], blocks[2::2], strict=True))

    def count(self, block: str, node_type: str) -> int:
        """Nodes of a type under Active or Idle."""
        found = re.search(rf"^ (\d+) {node_type}$", self._block[block], re.M)
        return int(found[1]) if found else 0

    def pending(self) -> int:
        """Nodes on their way: one line each, with their id."""
        return len(re.findall(r": small, ", self._block["Pending"]))

    def demand(self) -> int:
        """Pending one-CPU tasks."""
        found = re.search(r"{'CPU': 1.0}: (\d+)\+", self.text)
        return int(found[1]) if found else 0


def test_ray_status_shows_the_same_active_pending_and_demand(
    program: Program, drive: Drive
) -> None:
    file = program.file("agree")
    up = program.run("up", str(file))
    assert up.returncode == 0, up.stderr
    address = program.status("agree")["gcs_address"]
    drive(address, FOREVER)

    # Three nodes are on their way; stopped half-way, so that there is time to look at them.
    starting = eventually(
        lambda: starts if len(starts := worker_starts(program)) == 3 else None, 60
    )
    for process in starting:
        os.killpg(process.pid, signal.SIGSTOP)
    eventually(lambda: demand(program.status("agree")) == 40, 30)  # Ray reports it bit by bit
    assert launching(program.status("agree")) == 3
    eventually(lambda: RayStatus(program, address).pending() == 3, 30)
    assert RayStatus(program, address).demand() == 40
    for process in starting:
        os.killpg(process.pid, signal.SIGCONT)

    # They run and are full.
    ours = eventually(lambda: s if demand(s := program.status("agree")) == 28 else None, 120)
    assert (ours["node_types"][1]["running"], launching(ours)) == (3, 0)
    assert {d["reason"] for d in ours["demands"]} == {"max_workers of small is 3, 3 in use"}
    theirs = eventually(
        lambda: t if (t := RayStatus(program, address)).demand() == 28 else None, 30
    )
    assert theirs.count("Active", "small") == 3
    assert theirs.pending() == 0


def launching(status: dict[str, Any]) -> int:
    return sum(kind["launching"] for kind in status["node_types"])


def demand(status: dict[str, Any]) -> int:
    return sum(d["count"] for d in status["demands"] if d["resources"] == {"CPU": 1})


def worker_starts(program: Program) -> list[psutil.Process]:
    """The `ray start` processes of this test's workers."""
    return [
        process
        for process in program.processes()
        if "ray.scripts.scripts" in (words := process.cmdline())
        and any(word.startswith("--address=") for word in words)
    ]
