"""What `raytui up` takes beside the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import raytui

FILE = """
cluster_name: far
provider: {type: local, head_ip: 192.0.2.1, worker_ips: [192.0.2.2, 192.0.2.3]}
auth: {ssh_user: ray}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "far.yaml"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-restart", "--restart-only"], "exclude each other"),
        (["-n", "../up"], "--cluster-name"),
        (["--max-workers", "-1"], "--max-workers"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_done(file: Path, words: list[str], said: str):
    done = raytui("up", str(file), *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (file.parent / "state").exists()


def test_a_floor_needs_a_type_that_it_is_for(tmp_path: Path):
    path = tmp_path / "here.yaml"
    path.write_text(json.dumps(HERE))
    done = raytui("up", str(path), "--min-workers", "1")
    assert done.returncode == 2
    assert "raytui scale" in done.stderr


HERE = {
    "cluster_name": "here",
    "provider": {"type": "fake_multinode"},
    "head_node_type": "head",
    "available_node_types": {"head": {"node_config": {}, "resources": {"CPU": 1}}},
}
