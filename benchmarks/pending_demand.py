"""Demand made on purpose: one request at a time that only one node type can serve.

Run as a program it is a Ray driver of its own, so that a benchmark never holds a connection to a
cluster that it takes down (Ray ends such a process). Each line of its stdin is a number of a trial,
to ask for its resource, or `cancel`; each line of its stdout is the unix time at which GCS first
showed the demand, or no demand any more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raytui.ray.gcs import GcsRay

LOOK_EVERY_S = 0.01
_WAIT_S = 60.0
_CANCEL = "cancel"


def resource_of(trial: int) -> str:
    """The custom resource that only the node type of this trial has."""
    return f"trial{trial:02d}"


class Driver:
    """A process that puts demand on a cluster."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @contextmanager
    def pending(self, trial: int) -> Iterator[float]:
        """A task that waits for a node of this trial; yields when GCS first showed it (unix s).

        On leaving it is cancelled and GCS shows no demand any more.
        """
        visible_at = self._ask(str(trial))
        try:
            yield visible_at
        finally:
            self._ask(_CANCEL)

    def _ask(self, line: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the driver died, as Ray's drivers do when their cluster is gone")
        return float(answer)


@contextmanager
def driver(gcs_address: str) -> Iterator[Driver]:
    """A driver of the cluster at `gcs_address`, in a process that ends with the block."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), gcs_address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield Driver(process)
    finally:
        process.communicate(timeout=_WAIT_S)


def _drive(gcs_address: str) -> None:
    """Be the driver until stdin ends."""
    import ray

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what Ray has to say must not be taken for an answer
    ray.init(gcs_address, log_to_driver=False)
    gcs = GcsRay(gcs_address)
    task: Any = None
    for line in map(str.strip, sys.stdin):
        if line == _CANCEL:
            ray.cancel(task)
        else:
            task = _task(int(line))
        answers.write(f"{_time_when(gcs, waits=line != _CANCEL)!r}\n")
    ray.shutdown()


def _task(trial: int) -> Any:
    import ray

    nothing = ray.remote(num_cpus=1, resources={resource_of(trial): 1}, max_retries=0)(_nothing)
    return nothing.remote()


def _nothing() -> None:
    """It is cancelled before a node for it is up."""


def _time_when(gcs: GcsRay, *, waits: bool) -> float:
    deadline = time.monotonic() + _WAIT_S
    while bool(gcs.observe().demands) != waits:
        if time.monotonic() > deadline:
            raise TimeoutError(f"GCS showed {'no' if waits else 'old'} demand for {_WAIT_S:g} s")
        time.sleep(LOOK_EVERY_S)
    return time.time()


if __name__ == "__main__":
    _drive(sys.argv[1])
