"""A cluster file, its own state directory, and a simulated cluster that was launched from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.config.cluster import load_cluster
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from tests.support.world import World

TEXT = """
cluster_name: toy
max_workers: 4
provider:
  type: fake_multinode
  password: hunter2
head_node_type: head
available_node_types:
  head: {node_config: {}, resources: {CPU: 0}}
  cpu: {node_config: {}, resources: {CPU: 4}, max_workers: 4}
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def paths(file: Path) -> ClusterPaths:
    paths = ClusterPaths("toy").make()
    remember(paths, load_cluster(file))
    return paths


@pytest.fixture
def world(file: Path, tmp_path: Path) -> World:
    return World(load_cluster(file), tmp_path / "ledger.db")
