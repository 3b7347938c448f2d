"""A cluster elsewhere in docker mode: daemon, commands and shells are in the head's container."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.config.cluster import load_cluster
from raytui.config.locations import ClusterPaths
from raytui.launcher.reach import HeadReach
from raytui.provisioning.own_wheel import PROGRAM
from tests.e2e.terminal import Terminal
from tests.remote.conftest import STANDING
from tests.support import away, nested_engine
from tests.support.host_image import WITH_ENGINES
from tests.support.hosts import ROOT, Engine, wait_until
from tests.support.on_premise import OnPremise, cluster_of_hosts

pytestmark = [pytest.mark.ssh, pytest.mark.slow]


@pytest.fixture(scope="module")
def boxed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPremise]:
    """A head whose container has raytui and a daemon."""
    folder = tmp_path_factory.mktemp("boxed")
    section = nested_engine.docker_section()
    with (
        cluster_of_hosts(
            engine,
            folder,
            workers=0,
            name="boxed",
            options=nested_engine.options(),
            image=WITH_ENGINES,
            docker=section,
        ) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        nested_engine.start_docker(cluster.head)
        away.note_launched(cluster)
        spec = load_cluster(str(cluster.file))
        with HeadReach(spec, ClusterPaths("boxed")) as reach:
            assert reach.inside.start().exit_code == 0
            program = folder / "program"
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -m raytui "$@"\n')
            program.chmod(0o755)
            reach.inside.put(str(program), f"~/{PROGRAM}")
            daemon = f"PYTHONPATH={ROOT} nohup {sys.executable} {STANDING} boxed {reach.address}"
            assert reach.inside.run_shell(f"{daemon} > daemon.out 2>&1 &").exit_code == 0
        wait_until(lambda: cluster.raytui("status", "boxed").returncode == 0, "the daemon")
        yield cluster


def test_the_daemon_in_the_container_is_reached(boxed: OnPremise):
    done = boxed.raytui("status", "boxed")
    assert done.returncode == 0, done.stderr
    assert boxed.head.address in done.stdout
    assert boxed.raytui("daemon", "status", "boxed").returncode == 0


def test_commands_are_the_containers_or_the_hosts(boxed: OnPremise):
    where = "test -e /.dockerenv && id -un; pwd; exit 6"
    inside = boxed.raytui("exec", "boxed", where)
    assert (inside.returncode, inside.stdout) == (6, "root\n/\n"), inside.stderr
    around = boxed.raytui("exec", "boxed", "--run-env", "host", "id -un; pwd")
    assert (around.returncode, around.stdout) == (0, "ray\n/home/ray\n")


def test_a_script_and_its_files_go_into_the_container(boxed: OnPremise, tmp_path: Path):
    script = tmp_path / "told.py"
    script.write_text(f"#!{sys.executable}\nprint('in the box')\n")
    python = f"mkdir -p /usr/local/bin && ln -sf {sys.executable} /usr/local/bin/python"
    assert boxed.raytui("exec", "boxed", python).returncode == 0
    done = boxed.raytui("submit", "boxed", str(script))
    assert (done.returncode, done.stdout) == (0, "in the box\n"), done.stderr
    down = boxed.raytui("rsync-down", "boxed", "~/told.py", str(tmp_path / "back.py"))
    assert down.returncode == 0, down.stderr
    assert (tmp_path / "back.py").read_text() == script.read_text()


@pytest.mark.tmux
def test_a_shell_is_in_the_container(boxed: OnPremise, tmp_path: Path):
    terminal = Terminal(tmp_path, boxed.argv("attach", "boxed"), env=boxed.environment)
    try:
        terminal.wait("root@")
        terminal.type("test -e /.dockerenv && tty; exit 3\n")
        assert "/dev/pts/" in terminal.wait("exit code 3")
    finally:
        terminal.close()


def test_ctrl_c_ends_the_command_in_the_container(boxed: OnPremise):
    with boxed.start("exec", "boxed", "echo begun; exec sleep 4712") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 130
    wait_until(lambda: "sleep 4712" not in boxed.head.run("ps", "-eo", "args"), "the command's end")


def test_a_container_that_is_gone_is_told(boxed: OnPremise):
    boxed.head.run("docker", "kill", "ray_container")
    done = boxed.raytui("status", "boxed")
    assert done.returncode == 3
    assert f"{boxed.head.address}: its Ray container does not run" in done.stderr
