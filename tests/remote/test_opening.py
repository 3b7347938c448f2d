"""`raytui CLUSTER` in a terminal, for a cluster whose daemon is on another machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.remote.conftest import start_daemon
from tests.support.away import stop_daemon
from tests.support.on_premise import OnPremise

pytestmark = [pytest.mark.ssh, pytest.mark.tmux, pytest.mark.slow]


@pytest.fixture
def opened(elsewhere: OnPremise, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, elsewhere.argv("away"), env=elsewhere.environment)
    yield terminal
    terminal.close()


def test_a_launched_cluster_opens_and_stays_over_a_lost_connection(
    opened: Terminal, elsewhere: OnPremise
):
    opened.wait("autoscaler live")
    opened.press("2")
    opened.wait(f"{elsewhere.workers[0].address}-c0ffee")
    stop_daemon(elsewhere)
    try:
        lost = opened.wait("no autoscaler of this cluster runs")
        assert "last seen" in lost
        assert f"{elsewhere.workers[0].address}-c0ffee" in lost
    finally:
        start_daemon(elsewhere)
    opened.wait("autoscaler live")
    opened.press("q")
    opened.wait("exit code 0")


def test_a_file_that_was_never_launched_offers_to(elsewhere: OnPremise, tmp_path: Path):
    file = tmp_path / "new.yaml"
    file.write_text(elsewhere.file.read_text().replace('"away"', '"new"'))
    terminal = Terminal(tmp_path, elsewhere.argv(str(file)), env=elsewhere.environment)
    try:
        screen = terminal.wait("new · local")
        assert "aunch" in screen
        terminal.press("q")
        terminal.wait("exit code 0")
    finally:
        terminal.close()
