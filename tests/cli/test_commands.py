"""Commands against a daemon: what they do, how a refusal reads, who is asked first."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from raytui.cli.exit_codes import ExitCode
from raytui.config.launched import forget
from raytui.config.locations import ClusterPaths
from tests.cli.conftest import raytui
from tests.control.conftest import DaemonProcess

pytestmark = pytest.mark.usefixtures("toy")


def nodes() -> list[str]:
    report = json.loads(raytui("status", "--json", "toy").stdout)
    return [node["instance_id"] for node in report["nodes"]]


def test_scale_is_done_and_answered_on_stderr():
    done = raytui("scale", "cpu", "2", "-c", "toy")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "floor 2\n")
    assert nodes() == ["n1", "n2"]


def test_terminate_takes_exactly_the_named_nodes():
    raytui("scale", "cpu", "3", "-c", "toy")
    done = raytui("terminate", "n1", "n3", "-y", "--drain", "1m30s", "-c", "toy")
    assert done.returncode == 0
    assert nodes() == ["n2"]


def test_a_refusal_is_a_failure_with_its_words():
    done = raytui("terminate", "nobody", "-y", "-c", "toy")
    assert (done.returncode, done.stdout) == (ExitCode.FAILED, "")
    assert "no such node: nobody" in done.stderr


def test_pause_and_resume_show_in_the_status():
    raytui("pause", "-c", "toy")
    assert "autoscaler paused by" in raytui("status", "toy").stdout
    raytui("resume", "-c", "toy")
    assert "autoscaler live" in raytui("status", "toy").stdout


def test_requested_bundles_are_read_with_counts_and_names():
    done = raytui("request", "8xCPU=1", "CPU=2,GPU=0.5", "-c", "toy")
    assert done.stderr == "8 × {CPU: 1}, 1 × {CPU: 2, GPU: 0.5}\n"


def test_reload_and_stop_reach_the_daemon(toy: DaemonProcess):
    assert raytui("daemon", "reload", "toy").stderr == "read simulated-3 again\n"
    assert "its nodes stay" in raytui("daemon", "stop", "toy").stderr
    assert toy.process.wait(timeout=20) == 0


def test_the_only_launched_cluster_needs_no_name():
    assert json.loads(raytui("status", "--json").stdout)["cluster_name"] == "toy"


def test_the_environment_names_a_cluster(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAYTUI_CLUSTER", "elsewhere")
    done = raytui("status")
    assert done.returncode == ExitCode.USAGE
    assert "elsewhere" in done.stderr


def test_without_a_terminal_opening_prints_the_status_once():
    done = raytui("toy")
    assert done.returncode == 0
    assert done.stdout.startswith("toy · scripted")
    assert "PENDING DEMAND" in done.stdout


def test_status_watch_prints_one_object_a_change_until_interrupted():
    watching = subprocess.Popen(
        [sys.executable, "-m", "raytui", "status", "--watch", "--json", "toy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background may have them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["nodes"] == []
    raytui("scale", "cpu", "1", "-c", "toy")
    assert [n["instance_id"] for n in json.loads(watching.stdout.readline())["nodes"]] == ["n1"]
    os.kill(watching.pid, signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert (watching.returncode, err) == (ExitCode.OK, "")


def test_a_cluster_taken_down_ends_the_watch(toy: DaemonProcess):
    watching = subprocess.Popen(
        [sys.executable, "-m", "raytui", "status", "--watch", "--json", "toy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    watching.stdout.readline()
    forget(ClusterPaths("toy"))
    toy.end()
    _, err = watching.communicate(timeout=20)
    assert watching.returncode == ExitCode.UNREACHABLE
    assert "toy was taken down" in err


class Terminal:
    """The program on a terminal: what is shown, and what is typed."""

    def __init__(self, *args: str) -> None:
        self.master, slave = pty.openpty()
        command = [sys.executable, "-m", "raytui", *args]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.shown = ""

    def wait_for(self, words: str, deadline_s: float = 20) -> None:
        end = time.monotonic() + deadline_s
        while words not in self.shown:
            assert time.monotonic() < end, self.shown
            self._read()

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        code = self.process.wait(timeout=20)
        os.close(self.master)
        return code

    def _read(self) -> None:
        try:
            self.shown += os.read(self.master, 4096).decode(errors="replace")
        except OSError:  # Linux: the other side was closed
            raise AssertionError(self.shown) from None


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [("y\n", ExitCode.OK, ["n2"]), ("n\n", ExitCode.INTERRUPTED, ["n1", "n2"])],
    ids=["yes", "no"],
)
def test_on_a_terminal_terminate_shows_what_dies_and_asks(
    answer: str, code: ExitCode, left: list[str]
):
    raytui("scale", "cpu", "2", "-c", "toy")
    terminal = Terminal("terminate", "n1", "-c", "toy")
    terminal.wait_for("[y/N]")
    assert re.search(r"n1  cpu\s+running tasks .*: work ×1\s+Terminate n1 of toy\?", terminal.shown)
    assert nodes() == ["n1", "n2"], "nothing happens before the answer"
    terminal.type(answer)
    assert terminal.end() == code
    assert nodes() == left
