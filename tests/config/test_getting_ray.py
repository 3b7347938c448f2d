"""The commands that get Ray for a cloud image, in a real shell on a machine of stubs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from raytui.config.cluster import parse_cluster
from raytui.config.getting_ray import GET_RAY, RAY

MINIMAL = "cluster_name: minimal\nprovider: {type: aws, region: us-west-2}\n"
VENV = """\
echo "python3 $*" >> "$HOME/calls"
[ -e "$HOME/has-venv" ] || exit 1
mkdir -p "$4/bin"
cp "$HOME/bin/pip-of-venv" "$4/bin/pip"
"""
PIP = 'echo "pip $*" >> "$HOME/calls"\ntouch "${0%/pip}/ray"\nchmod +x "${0%/pip}/ray"\n'
SUDO = 'echo "$*" >> "$HOME/calls"\ncase "$*" in *python3-venv) touch "$HOME/has-venv";; esac\n'


class Machine:
    """A home with programs that write down how they are called."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "bin").mkdir()
        for name, text in (("python3", VENV), ("pip-of-venv", PIP), ("sudo", SUDO)):
            self.program(name, text)

    def program(self, name: str, text: str = "") -> None:
        file = self.home / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}")
        file.chmod(0o755)

    def run(self, command: str) -> str:
        """As a node runs it: in a shell that has read ~/.bashrc."""
        env = {"HOME": str(self.home), "PATH": f"{self.home}/bin:/usr/bin:/bin"}
        text = f"[ -e ~/.bashrc ] && . ~/.bashrc; {command}"
        done = subprocess.run(["bash", "-c", text], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def calls(self) -> list[str]:
        file = self.home / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_where_ray_is_nothing_is_done(machine: Machine) -> None:
    machine.program("ray")
    for command in GET_RAY:
        machine.run(command)
    assert machine.calls == []
    assert not (machine.home / ".bashrc").exists()


def test_an_image_without_venv_gets_it_and_then_ray_which_shells_find(machine: Machine) -> None:
    for command in GET_RAY:
        machine.run(command)
    first, update, install, again, pip = machine.calls
    place = f"{machine.home}/.local/share/raytui/python"
    assert first == again == f"python3 -m venv --clear {place}"
    assert update.endswith(" update")
    assert install.endswith(" install -y python3-venv")
    assert pip == f"pip install ray[default]=={RAY}"
    assert machine.run("command -v ray").strip() == f"{place}/bin/ray"
    for command in GET_RAY:  # the next time it is there
        machine.run(command)
    assert len(machine.calls) == 5


def test_an_image_with_venv_needs_no_packager(machine: Machine) -> None:
    (machine.home / "has-venv").touch()
    for command in GET_RAY:
        machine.run(command)
    assert [call.split()[0] for call in machine.calls] == ["python3", "pip"]


def test_a_file_without_commands_of_its_own_has_these_on_all_nodes() -> None:
    spec = parse_cluster(MINIMAL, "c.yaml")
    assert spec.head.setup_commands == GET_RAY
    assert spec.node_types["ray.worker.default"].setup_commands == GET_RAY


@pytest.mark.parametrize("own", ["[]", "[pip install ray]"])
def test_a_files_own_commands_are_all_there_is(own: str) -> None:
    spec = parse_cluster(f"{MINIMAL}setup_commands: {own}\n", "c.yaml")
    assert not set(GET_RAY) & set(spec.head.setup_commands)
