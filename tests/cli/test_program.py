"""Help, imports, exit codes, and what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from raytui import __version__
from raytui.cli.exit_codes import ExitCode
from raytui.cli.program import _COMMANDS, program
from raytui.config.locations import ClusterPaths
from tests.cli.conftest import raytui
from tests.control.conftest import DaemonProcess

HEAVY = {"textual", "ray", "rich", "boto3", "paramiko", "kubernetes"}


def test_help_names_every_command_and_the_exit_codes():
    done = raytui("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for name in _COMMANDS:
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE), name
    for code in ExitCode:
        assert str(code.value) in done.stdout


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_loads_and_has_help(name: str):
    command = program.get_command(
        program.make_context("raytui", [name], resilient_parsing=True), name
    )
    assert command is not None
    assert command.help


def test_the_version_is_printed():
    done = raytui("--version")
    assert (done.returncode, done.stdout) == (0, f"raytui {__version__}\n")


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["status", "nowhere"],
        ["status", "--json", "toy"],
        ["nowhere"],
        ["down", "nowhere"],
        ["info"],
        ["daemon", "connect", "--stdio", "-c", "toy"],
        ["scale", "cpu", "1", "-c", "toy"],
    ],
    ids=" ".join,
)
def test_nothing_but_the_screens_loads_textual_or_ray(args: list[str], toy: DaemonProcess):
    loaded = loaded_by(*args)
    assert "raytui.cli.program" in loaded
    assert not HEAVY & loaded


def test_help_loads_click_and_nothing_else_from_elsewhere():
    packages = {name.partition(".")[0] for name in loaded_by("--help") if not name.startswith("_")}
    assert packages - sys.stdlib_module_names == {"raytui", "click"}


def loaded_by(*args: str) -> set[str]:
    """The modules that this command has loaded when it ends."""
    code = (
        "import sys, atexit\n"
        "sys.argv = ['raytui', *sys.argv[1:]]\n"
        "def told(): sys.stderr.write('LOADED ' + ' '.join(sys.modules) + '\\n')\n"
        "atexit.register(told)\n"
        "from raytui.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(done.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["status", "nowhere"], ExitCode.USAGE),
        (["status"], ExitCode.UNREACHABLE),
        ([], ExitCode.UNREACHABLE),
        (["scale", "cpu"], ExitCode.USAGE),
        (["scale", "cpu", "-3"], ExitCode.USAGE),
        (["scale", "cpu", "many"], ExitCode.USAGE),
        (["terminate", "n1"], ExitCode.USAGE),
        (["terminate", "n1", "-y"], ExitCode.UNREACHABLE),
        (["hold", "n1", "--for", "soon"], ExitCode.USAGE),
        (["request"], ExitCode.USAGE),
        (["request", "CPU"], ExitCode.USAGE),
        (["request", "CPU=0"], ExitCode.USAGE),
        (["request", "0xCPU=nan"], ExitCode.USAGE),
        (["up", "missing.yaml"], ExitCode.USAGE),
        (["down", "nowhere"], ExitCode.USAGE),
        (["--daemon", "missing.yaml"], ExitCode.USAGE),
        (["daemon", "run", "laptop"], ExitCode.FAILED),
        (["daemon", "connect", "-c", "laptop"], ExitCode.USAGE),
        (["daemon", "connect", "--stdio", "-c", "laptop"], ExitCode.UNREACHABLE),
        (["--no-such-option"], ExitCode.USAGE),
        (["../escape"], ExitCode.USAGE),
        (["status", ".."], ExitCode.USAGE),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_talk_on_stderr_and_its_code(args: list[str], code: ExitCode):
    done = raytui(*args)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_file_is_told_with_line_and_key(tmp_path: Path):
    file = tmp_path / "bad.yaml"
    file.write_text("cluster_name: bad\nmax_workers: -1\nprovider: {type: fake_multinode}\n")
    done = raytui("up", str(file))
    assert done.returncode == ExitCode.USAGE
    assert f"{file}:2: max_workers" in done.stderr


def test_a_provider_without_a_backend_is_one_sentence(tmp_path: Path):
    file = tmp_path / "gcp.yaml"
    file.write_text(
        "cluster_name: far\nprovider: {type: gcp, region: us, project_id: p}\n"
        "head_node_type: head\n"
        "available_node_types: {head: {node_config: {}, resources: {CPU: 4}}}\n"
    )
    done = raytui("up", str(file))
    assert done.returncode == ExitCode.FAILED
    assert "provider type gcp cannot be launched" in done.stderr
    assert not (ClusterPaths("far").dir / "launched.json").exists()


def test_a_reader_that_has_enough_ends_it_quietly(toy: DaemonProcess):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "raytui", "status", "toy"],
            stdin=subprocess.DEVNULL,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")


def test_info_tells_paths_versions_and_clusters(toy: DaemonProcess):
    done = raytui("info")
    assert done.returncode == 0
    assert f"raytui                {__version__}\n" in done.stdout
    assert f"toy              launched, daemon pid {toy.process.pid}" in done.stdout
    assert str(ClusterPaths("toy").dir) in done.stdout


def test_info_as_json_has_the_same(toy: DaemonProcess):
    told = json.loads(raytui("info", "--json").stdout)
    assert told["versions"]["raytui"] == __version__
    assert told["paths"]["settings"].startswith(os.environ["XDG_CONFIG_HOME"])
    (cluster,) = told["clusters"]
    paths = ClusterPaths("toy")
    assert (cluster["name"], cluster["log"], cluster["socket"]) == (
        "toy", str(paths.log), str(paths.socket),
    )  # fmt: skip
