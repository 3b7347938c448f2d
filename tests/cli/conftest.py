"""The program as people run it: a process with arguments, a terminal or none, and an exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from tests.control.conftest import DaemonProcess
from tests.support.clusters import kind, spec

Done = subprocess.CompletedProcess[str]


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("RAYTUI_CLUSTER", raising=False)


def raytui(*args: str, timeout: float = 60, **options: object) -> Done:
    """Run the program without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "raytui", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )


@pytest.fixture
def toy() -> Iterator[DaemonProcess]:
    """A launched cluster `toy` whose daemon runs a scripted engine."""
    paths = ClusterPaths("toy").make()
    remember(paths, msgspec.structs.replace(spec(kind("cpu")), cluster_name="toy"))
    daemon = DaemonProcess("toy").wait_ready(paths)
    yield daemon
    daemon.end()
