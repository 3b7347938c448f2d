"""Ending what an earlier start has left running on this machine."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator

import psutil
import pytest

from raytui.backends.marked_processes import end_argv, find_argv

SLEEP = ("sleep", "300")


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(value: str, *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, env={**os.environ, "MARK": value}, start_new_session=True)


def test_only_what_bears_the_whole_mark_is_ended(started: list[subprocess.Popen[bytes]]):
    name = uuid.uuid4().hex
    ours, longer = start(name, *SLEEP), start(f"{name}0", *SLEEP)
    started += [ours, longer]
    done = subprocess.run(end_argv(f"MARK={name}"), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"ending {ours.pid}\n")
    assert ours.wait(5) == -15
    assert longer.poll() is None


def test_what_ignores_a_polite_word_and_hides_its_environment_is_ended(
    started: list[subprocess.Popen[bytes]],
):
    name = uuid.uuid4().hex
    deaf = start(name, "sh", "-c", "trap '' TERM; env -i sleep 300; :")
    started.append(deaf)
    [hidden] = wait_for_child(deaf.pid)
    done = subprocess.run(end_argv(f"MARK={name}"), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert str(hidden.pid) in done.stdout.split()
    assert deaf.wait(5) == -9
    # Where init does not look after orphans, a zombie is all that stays.
    assert not hidden.is_running() or hidden.status() == psutil.STATUS_ZOMBIE


def wait_for_child(pid: int) -> list[psutil.Process]:
    while True:
        found = [c for c in psutil.Process(pid).children() if c.name() == "sleep"]
        if found:
            return found


def test_nothing_to_end_is_said(started: list[subprocess.Popen[bytes]]):
    done = subprocess.run(end_argv(f"MARK={uuid.uuid4().hex}"), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "nothing runs\n")


def test_a_process_is_found_by_mark_and_name(started: list[subprocess.Popen[bytes]]):
    name = uuid.uuid4().hex
    started.append(start(name, *SLEEP))
    for program, expected in (("sleep", [str(started[0].pid)]), ("gcs_server", [])):
        done = subprocess.run(find_argv(f"MARK={name}", program), capture_output=True, text=True)
        assert (done.returncode, done.stdout.split()) == (0, expected)
