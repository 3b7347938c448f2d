"""Made-up stories of a cluster full of faults, and whether the invariants held at every step.

Each seed is one story (`tests/simulation`): the real loop, ledger and planner on a virtual clock,
beside a made-up provider and Ray with their own truth. Faults strike, people give orders, the
daemon is killed between and around its writes; after every step the invariants are checked against
the truth. At the end the faults stop and the cluster must come to what its work needs, then to its
floors. A broken story is named with the command that tells it again.

`seconds` is wall time with one process a core; `ms_per_story` is that times the processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import common

_ROOT = Path(__file__).resolve().parents[1]
_STORIES = 10_000
_TASTE = 200


def measure(quick: bool) -> common.Measured:
    """All stories, and how often each fault struck in them."""
    jobs = os.cpu_count() or 1
    stories = _TASTE if quick else _STORIES
    common.progress(f"{stories} stories in {jobs} processes")
    report = _tell(stories, jobs)
    cases = [{"fault": name, "struck": count} for name, count in report["faults"].items()]
    return common.Measured(
        cases,
        {
            "stories": report["stories"],
            "steps": report["steps"],
            "virtual_hours": report["virtual_hours"],
            "seconds": report["seconds"],
            "ms_per_story": common.digits(1000 * jobs * report["seconds"] / report["stories"]),
            "broken": len(report["broken"]),
            "broken_stories": [command for command, _ in report["broken"]],
        },
    )


def _tell(stories: int, jobs: int) -> dict[str, Any]:
    arguments = ["--seeds", f"0-{stories - 1}", "--jobs", str(jobs), "--json"]
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, check=False, text=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


if __name__ == "__main__":
    common.main("simulation", __doc__, measure)
