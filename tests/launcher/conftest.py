"""Small real clusters on this machine, each with a name of its own, taken down at the end."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from raytui.config.cluster import load_cluster
from raytui.config.locations import ClusterPaths
from raytui.launcher import down
from raytui.model.spec import ClusterSpec
from raytui.model.step import Step, StepStatus

YAML = """
cluster_name: {name}
provider: {{type: fake_multinode}}
max_workers: 4
idle_timeout_minutes: 1
head_node_type: head
available_node_types:
  head:
    node_config: {{}}
    resources: {{CPU: 0, object_store_memory: 80000000}}
  cpu:
    node_config: {{}}
    resources: {{CPU: 1, object_store_memory: 80000000}}
    min_workers: {floor}
    max_workers: 4
"""


class Cluster:
    """A cluster file, its state directory, and the steps that were told."""

    def __init__(self, file: Path, floor: int = 0) -> None:
        self.file = file
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.write(floor=floor)
        self.paths = ClusterPaths(self.name)
        self.steps: list[Step] = []

    def write(self, *, floor: int) -> None:
        self.file.write_text(YAML.format(name=self.name, floor=floor))

    @property
    def spec(self) -> ClusterSpec:
        return load_cluster(self.file)

    def ended(self) -> dict[str, StepStatus]:
        """Last status of each step by name; forgets them."""
        last = {step.name: step.status for step in self.steps}
        self.steps.clear()
        return last

    def processes(self) -> list[str]:
        """Command lines of all processes that belong to this cluster."""
        found = []
        for process in psutil.process_iter():
            try:
                marks = [*process.cmdline(), *process.environ().values()]
            except psutil.Error:
                continue
            if any(self.name in mark for mark in marks):
                found.append(" ".join(process.cmdline())[:200])
        return found


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cluster = Cluster(tmp_path / "cluster.yaml")
    yield cluster
    down(cluster.spec, cluster.steps.append)
    assert cluster.processes() == []
