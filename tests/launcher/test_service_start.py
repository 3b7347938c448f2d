"""Starting the daemon by systemd, beside stand-ins for its programs that note their calls."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from raytui.config.cluster import parse_cluster
from raytui.launcher import service
from raytui.launcher.service import start_service, usable_service
from raytui.model.spec import ClusterSpec
from raytui.model.step import LaunchError

FILE = """
cluster_name: far
provider: {type: local, head_ip: 192.0.2.1, worker_ips: []}
auth: {ssh_user: ray}
metadata: {raytui: {on_head: true}}
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with one line a call; systemd runs, and says no to what FAILS names."""
    noted = tmp_path / "calls"
    for name in ("systemctl", "loginctl"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {noted}\n'
            'case "$*" in *$FAILS*) echo it says no >&2; exit 1;; esac\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("FAILS", "nothing")
    monkeypatch.setattr(service, "_BOOTED", tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    return noted


@pytest.fixture
def spec() -> ClusterSpec:
    return parse_cluster(FILE, "/home/ray/ray_bootstrap_config.yaml")


def test_a_user_whose_services_outlive_their_sessions_gets_one(spec: ClusterSpec, calls: Path):
    found = usable_service(spec)
    assert found is not None
    assert found.of_user
    start_service(found, Path("/log"))
    assert "RAYTUI_DAEMON=far" in found.path.read_text()
    assert [line for line in calls.read_text().splitlines() if "--version" not in line] == [
        "systemctl --user show-environment",
        "loginctl enable-linger",
        "systemctl --user daemon-reload",
        "systemctl --user enable raytui-far.service",
        "systemctl --user restart raytui-far.service",
    ]


@pytest.mark.parametrize("refused", ["show-environment", "enable-linger"])
def test_who_may_not_have_one_that_lasts_gets_none(
    spec: ClusterSpec, calls: Path, monkeypatch: pytest.MonkeyPatch, refused: str
):
    monkeypatch.setenv("FAILS", refused)
    assert usable_service(spec) is None


def test_where_systemd_does_not_run_there_is_none(
    spec: ClusterSpec, calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "_BOOTED", tmp_path / "nowhere")
    assert usable_service(spec) is None
    assert not calls.exists()


def test_root_gets_one_of_the_machine(
    spec: ClusterSpec, calls: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "getuid", lambda: 0)
    found = usable_service(spec)
    assert found is not None
    assert not found.of_user


def test_one_that_does_not_start_is_not_left_to_try_for_ever(
    spec: ClusterSpec, calls: Path, monkeypatch: pytest.MonkeyPatch
):
    found = usable_service(spec)
    assert found is not None
    monkeypatch.setenv("FAILS", "restart")
    with pytest.raises(LaunchError, match=r"restart raytui-far\.service failed") as failure:
        start_service(found, Path("/log"))
    assert failure.value.detail == "it says no"
    assert calls.read_text().splitlines()[-1] == (
        "systemctl --user disable --now raytui-far.service"
    )
