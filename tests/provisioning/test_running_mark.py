"""Marks of commands under way, on this machine and in a container through its engine's client."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raytui.backends.base import CommandRunner
from raytui.backends.local_runner import LocalRunner
from raytui.provisioning.running_mark import VARIABLE, RunningMark
from tests.provisioning.test_docker_runner import DOCKER, Engine, engine, runner
from tests.provisioning.test_provisioner import alive
from tests.support.waiting import eventually

__all__ = ["engine"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def begin(runner: CommandRunner, word: str, text: str) -> threading.Thread:
    """Run a command beside us, as somebody would who will not wait for its end."""
    env = {VARIABLE: word}
    thread = threading.Thread(target=lambda: runner.run_shell(text, env=env), daemon=True)
    thread.start()
    return thread


def test_what_a_mark_names_is_ended_with_its_children_and_sessions(home: Path):
    mark = RunningMark(LocalRunner(), "c@m")
    word = mark.note()
    text = "setsid sh -c 'echo $$ > ~/a; sleep 600' & "
    text += "env -i HOME=$HOME sh -c 'echo $$ > ~/b; sleep 600'"
    going = begin(LocalRunner(), word, text)
    files = [home / "a", home / "b"]
    eventually(lambda: all(file.exists() and file.read_text().strip() for file in files))
    later = RunningMark(LocalRunner(), "c@m")
    assert later.find() == word
    assert later.end(word)
    going.join(20)
    assert not going.is_alive()
    eventually(lambda: not any(alive(int(file.read_text())) for file in files))
    assert later.find() == ""
    assert not later.end(word), "there is nothing left of it"


def test_who_has_another_word_or_none_goes_on(home: Path):
    mark = RunningMark(LocalRunner(), "c@m")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    going = begin(LocalRunner(), "another", "until test -e ~/go_on; do sleep 0.05; done")
    try:
        assert not mark.end(mark.note())
        assert other.poll() is None
        assert going.is_alive()
    finally:
        (home / "go_on").touch()
        other.kill()
        other.wait()
        going.join(20)


def test_clusters_on_one_host_have_marks_of_their_own(home: Path):
    one, two = (RunningMark(LocalRunner(), name) for name in ("one@m", "two@m"))
    word = one.note()
    assert (one.find(), two.find()) == (word, "")
    two.clear()
    assert one.find() == word
    one.clear()
    assert one.find() == ""


def test_a_home_that_takes_no_mark_stops_nothing(home: Path):
    (home / ".cache").write_text("a file where a folder should be")
    mark = RunningMark(LocalRunner(), "c@m")
    assert mark.note()
    assert mark.find() == ""
    mark.clear()


def test_what_runs_in_a_container_is_ended_there(engine: Engine):
    box = runner(docker=DOCKER)
    box.start()
    mark = RunningMark(box.host, "c@m")
    word = mark.note()
    going = begin(box, word, "echo $$ > ~/pid; sleep 600")
    file = engine.home / "pid"
    eventually(lambda: file.exists() and file.read_text().strip())
    assert mark.end(word, box)
    going.join(20)
    assert not alive(int(file.read_text()))
