"""The systemd unit of `raytui daemon install`."""

from __future__ import annotations

import configparser
import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from raytui.config.cluster import load_cluster
from raytui.launcher.service import service_of
from raytui.model.spec import ClusterSpec
from tests.cli.conftest import raytui
from tests.daemon.conftest import TEXT

AWS = """
cluster_name: far
provider: {type: aws, region: us-west-2, aws_credentials: {aws_secret_access_key: hunter2}}
max_workers: 2
available_node_types:
  ray.head.default: {node_config: {InstanceType: m5.large}, resources: {CPU: 2}}
"""


@pytest.fixture
def far(tmp_path: Path) -> ClusterSpec:
    folder = tmp_path / 'with space, "quotes", 100% and $HOME'
    folder.mkdir()
    (folder / "far.yaml").write_text(AWS)
    return load_cluster(folder / "far.yaml")


def setting(text: str, section: str, name: str) -> str:
    unit = configparser.ConfigParser(interpolation=None, strict=False, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit.get(section, name, fallback="")


def test_a_service_of_the_machine_runs_as_whoever_owns_the_cluster(
    far: ClusterSpec, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SUDO_USER", raising=False)
    service = service_of(far, of_user=False)
    assert str(service.path) == "/etc/systemd/system/raytui-far.service"
    assert setting(service.text, "Service", "User") == getpass.getuser()
    assert setting(service.text, "Service", "Type") == "notify"
    assert setting(service.text, "Service", "Restart") == "on-failure"
    assert setting(service.text, "Service", "KillMode") == "process"
    assert setting(service.text, "Service", "ProtectSystem") == "full"
    assert setting(service.text, "Install", "WantedBy") == "multi-user.target"


def test_there_are_no_secrets_in_it(far: ClusterSpec):
    assert "hunter2" not in service_of(far, of_user=False).text


def test_a_service_of_a_user_needs_no_root(far: ClusterSpec, tmp_path: Path):
    service = service_of(far, of_user=True)
    assert service.path == tmp_path / "config" / "systemd" / "user" / "raytui-far.service"
    assert setting(service.text, "Service", "User") == ""
    assert setting(service.text, "Service", "ProtectSystem") == ""
    assert setting(service.text, "Service", "NoNewPrivileges") == "yes"
    assert setting(service.text, "Install", "WantedBy") == "default.target"
    state = f'"XDG_STATE_HOME={tmp_path / "state"}"'
    assert setting(service.text, "Service", "Environment") == state


def test_work_on_this_machine_is_not_bound_by_the_services_limits(file: Path):
    text = service_of(load_cluster(file), of_user=False).text
    assert setting(text, "Service", "NoNewPrivileges") == ""


def test_systemd_understands_it(far: ClusterSpec, file: Path, tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here; the unit was checked where it is")
    for spec in (far, load_cluster(file)):
        service = service_of(spec, of_user=False)
        unit = tmp_path / service.name
        unit.write_text(service.text)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_systemd_reads_the_command_as_we_meant_it(far: ClusterSpec):
    words = setting(service_of(far, of_user=False).text, "Service", "ExecStart")
    path = far.source.replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    assert words.endswith(f' "-m" "raytui" "daemon" "run" "--log-only" "{path}"')


def test_the_program_writes_it_and_says_what_to_run(file: Path, tmp_path: Path):
    unit = tmp_path / "config" / "systemd" / "user" / "raytui-toy.service"
    done = raytui("daemon", "install", "--user", "--dry-run", str(file))
    assert done.returncode == 0
    assert done.stdout.startswith("[Unit]\n")
    assert not unit.exists()
    # Without systemctl on its path: what it does with a real one is systemd's.
    done = raytui("daemon", "install", "--user", str(file), env=_without_systemctl(tmp_path))
    assert done.returncode == 0, done.stderr
    assert unit.read_text().startswith("[Unit]\n")
    assert done.stderr.startswith(f"wrote {unit}\nsystemd does not run here; ")
    assert "enable --now raytui-toy.service" in done.stderr
    assert done.stdout == ""


def test_a_bad_cluster_file_makes_no_service(file: Path, tmp_path: Path):
    file.write_text(TEXT.replace("max_workers: 4", "max_workers: -4", 1))
    done = raytui("daemon", "install", "--user", str(file))
    assert done.returncode == 2
    assert ":3: max_workers" in done.stderr
    assert not (tmp_path / "config" / "systemd").exists()


def _without_systemctl(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
