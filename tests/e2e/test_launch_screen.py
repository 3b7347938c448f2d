"""A cluster on real hosts launched from the TUI in a real terminal: every set-up in sight."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal, lines_with
from tests.support.hosts import Engine
from tests.support.on_premise import OnPremise, cluster_of_hosts

pytestmark = [
    pytest.mark.ssh,
    pytest.mark.ray,
    pytest.mark.tmux,
    pytest.mark.slow,
    pytest.mark.timeout(420),
]

SET_UP = [
    "for n in 1 2 3; do echo Collecting part $n; sleep 1; done",
    "echo looking for libfoo; "
    "test ! -e ~/without-libfoo || { echo 'E: Unable to locate package libfoo'; exit 100; }",
    "echo the last of them",
]


@pytest.fixture
def cluster(engine: Engine, tmp_path: Path) -> Iterator[OnPremise]:
    with cluster_of_hosts(
        engine, tmp_path / "laptop", name="screen", worker_setup_commands=SET_UP
    ) as made:
        made.workers[1].run("touch", "/home/ray/without-libfoo")
        yield made
        made.raytui("down", made.name, "-y")


@pytest.fixture
def screen(cluster: OnPremise, tmp_path: Path) -> Iterator[Terminal]:
    env = {**os.environ, **cluster.environment}
    terminal = Terminal(tmp_path, cluster.argv(str(cluster.file)), env=env)
    yield terminal
    terminal.close()


def rows(text: str, cluster: OnPremise) -> list[str]:
    """The grid's lines: the head's and one for each worker host."""
    names = ["head ", *(f"{host.address}-" for host in cluster.workers)]
    return [next(iter(lines_with(text, name)), "") for name in names]


def test_each_node_is_a_row_and_a_failed_one_is_fixed_and_tried_again(
    cluster: OnPremise, screen: Terminal
):
    broken = cluster.workers[1]
    screen.wait("Nothing runs yet")
    screen.press("Enter")

    # The head is set up from here, then both workers at once from there.
    screen.wait(lambda text: lines_with(text, "head ", "RAY") or lines_with(text, "head ", "✓"))
    grid = screen.wait(lambda text: all(rows(text, cluster)), 180)
    assert lines_with(grid, "NODE", "SSH", "FILES", "SETUP", "RAY")
    screen.wait(lambda text: lines_with(text, broken.address, "✕ 2/3 exit 100"), 120)

    # Its output is on the head, and is read from there.
    while broken.address not in selected(screen.screen()):
        before = selected(screen.screen())
        screen.press("Down")
        screen.wait(lambda text, before=before: selected(text) != before)
    screen.press("Enter")
    screen.wait("OUTPUT OF set up 2/3")
    screen.wait("looking for libfoo")
    screen.wait("E: Unable to locate package libfoo")

    # Fixed and tried again, only that step and those after it are done.
    broken.run("rm", "/home/ray/without-libfoo")
    screen.press("R")
    screen.wait(lambda text: lines_with(text, "✓", "set up 3/3"), 120)
    screen.press("Escape")
    screen.wait("autoscaler live", 120)
    screen.press("2")
    screen.wait(lambda text: len(lines_with(text, "10.", "●")) + text.count("◌ idle") >= 3, 60)

    # What was set up can still be looked at.
    screen.press("u")
    later = screen.wait(lambda text: "2 set up" in text, 60)
    assert all(line.count("✓") == 3 for line in rows(later, cluster)[1:]), later


def selected(text: str) -> str:
    """The line under the cursor."""
    return next(iter(lines_with(text, "▸")), "")
