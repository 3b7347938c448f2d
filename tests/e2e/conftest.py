"""The program as a person runs it: its own state, its own terminal, real Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from raytui.config.locations import ClusterPaths
from tests.e2e.terminal import Terminal
from tests.support import processes

CLUSTER = """
cluster_name: {name}
provider: {{type: fake_multinode}}
max_workers: 3
idle_timeout_minutes: 0.1
head_node_type: head
available_node_types:
  head: {{node_config: {{}}, resources: {{CPU: 0, object_store_memory: 104857600}}}}
  small:
    node_config: {{}}
    resources: {{CPU: 4, object_store_memory: 104857600}}
    max_workers: 3
metadata:
  raytui: {{node_types: {{small: {{price_per_hour: 0.2}}}}}}
"""


class Program:
    """`raytui` in a state directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "TERM": "xterm-256color",
            "TEXTUAL_ANIMATIONS": "none",
        }
        self._terminals: list[Terminal] = []

    def file(self, name: str) -> Path:
        path = self.folder / f"{name}.yaml"
        path.write_text(CLUSTER.format(name=name))
        return path

    def paths(self, name: str) -> ClusterPaths:
        """Where the program keeps this cluster's state."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", self.env["XDG_STATE_HOME"])
            return ClusterPaths(name)

    def processes(self) -> list[psutil.Process]:
        """Everything that was started from here, directly or not, and still runs."""
        return processes.with_setting("XDG_STATE_HOME", self.env["XDG_STATE_HOME"])

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "raytui", *words]

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run one command line to its end."""
        return subprocess.run(
            self.argv(*words),
            env={**os.environ, **self.env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def status(self, cluster: str) -> dict[str, Any]:
        done = self.run("status", cluster, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def terminal(self, *words: str, width: int = 120, height: int = 40) -> Terminal:
        folder = self.folder / f"terminal-{len(self._terminals)}"
        folder.mkdir()
        made = Terminal(folder, self.argv(*words), env=self.env, width=width, height=height)
        self._terminals.append(made)
        return made

    def close(self) -> None:
        for terminal in self._terminals:
            terminal.close()
        for path in self.folder.glob("*.yaml"):
            print(self.run("status", path.stem).stdout)  # pytest shows it when the test failed
            self.run("down", path.stem, "-y")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    made.close()


Drive = Callable[[str, str], "subprocess.Popen[str]"]


@pytest.fixture
def drive(program: Program) -> Iterator[Drive]:
    """Start a driver: Python code with `ray` connected to a cluster."""
    started: list[subprocess.Popen[str]] = []

    def start(address: str, code: str) -> subprocess.Popen[str]:
        connect = f"ray.init({address!r}, logging_level='ERROR', log_to_driver=False)"
        process = subprocess.Popen(
            [sys.executable, "-c", f"import ray, time\n{connect}\n{code}"],
            env={**os.environ, **program.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(30)
