"""A machine whose Ray lives in a container, seen through an engine that only writes down.

The engine's client is a program of its own on PATH: it notes what it was asked, remembers whether
a container runs, and runs `exec` on this machine with another home.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.backends.base import TransientError
from raytui.backends.local_runner import LocalRunner
from raytui.model.spec import DockerSpec
from raytui.provisioning import docker_commands
from raytui.provisioning.docker_runner import DockerRunner

ENGINE = """#!{python}
import json, os, pathlib, subprocess, sys
state = pathlib.Path({state!r})
container = state / "container"
with (state / "asked").open("a") as notes:
    notes.write(json.dumps(sys.argv[1:]) + "\\n")
match sys.argv[1:]:
    case ["inspect", "-f", template, name] if container.exists() or "Env" in template:
        mounts = container.read_text() if container.exists() else "[]"
        answers = {{"State.Running": "true", "Mounts": mounts, "Env": '["HOME={home}"]'}}
        print(next(a for word, a in answers.items() if word in template))
    case ["inspect", *_]:
        sys.exit("Error: No such object")
    case ["info", *_]:
        print("map[nvidia:{{nvidia-container-runtime}} runc:{{runc}}]")
    case ["run", *words]:
        volumes = [w.split(":")[1] for o, w in zip(words, words[1:]) if o == "-v"]
        container.write_text(json.dumps([{{"Destination": v}} for v in volumes]))
    case ["stop", *_]:
        container.unlink()
    case ["exec", *words]:
        if not container.exists():
            sys.exit("Error: No such container")
        while words[0].startswith("-"):
            words = words[2:] if words[0] == "-e" else words[1:]
        sys.exit(subprocess.run(words[1:], env=os.environ | {{"HOME": {home!r}}}).returncode)
"""


class Engine:
    """Where the client keeps its notes, and the home that its container has."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "inside"

    def asked(self, verb: str) -> list[list[str]]:
        lines = (self.directory / "asked").read_text().splitlines()
        return [words for words in map(json.loads, lines) if words[0] == verb]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    engine = Engine(tmp_path / "engine")
    engine.home.mkdir(parents=True)
    binaries = tmp_path / "bin"
    binaries.mkdir()
    client = binaries / "docker"
    code = ENGINE.format(python=sys.executable, state=str(engine.directory), home=str(engine.home))
    client.write_text(code)
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(binaries), prepend=":")
    (tmp_path / "home").mkdir()
    # A login shell sets PATH anew; what the user has in ~/.bashrc comes after that.
    (tmp_path / "home" / ".bashrc").write_text(f"export PATH={binaries}:$PATH\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield engine
    shutil.rmtree(docker_commands.staging(CLUSTER, ""), ignore_errors=True)


CLUSTER = f"raytui-test-{os.getpid()}"
DOCKER = DockerSpec(image="r/ray:1", container_name="box", run_options=("--ulimit nofile=9:9",))


def runner(*mounts: str, docker: DockerSpec = DOCKER) -> DockerRunner:
    return DockerRunner(LocalRunner(), docker, CLUSTER, mounts)


def test_a_container_is_started_once(engine: Engine):
    first = runner("~/code")
    assert "no container box" in first.why_start()
    assert first.start().exit_code == 0
    assert first.why_start() == ""
    assert first.start().exit_code == 0
    ((_, *words),) = engine.asked("run")
    assert words[-3:] == ["--net=host", "r/ray:1", "bash"]
    assert any(word.startswith("--shm-size=") for word in words)
    assert "--runtime=nvidia" not in words, "the engine knows the runtime, but there is no GPU"
    assert engine.asked("pull") == [["pull", "r/ray:1"]] * 2


def test_a_container_that_lacks_a_mount_is_started_anew(engine: Engine):
    runner("~/code").start()
    later = runner("~/code", "/data")
    assert later.why_start() == "the container lacks the mounts /data"
    assert later.start().exit_code == 0
    assert len(engine.asked("stop")) == 1
    assert len(engine.asked("run")) == 2


def test_commands_run_inside_in_rays_shell(engine: Engine):
    box = runner()
    box.start()
    heard: list[str] = []
    result = box.run_shell('echo "at ~/x $WORD"', env={"WORD": "a b"}, on_line=heard.append)
    assert (result.exit_code, heard) == (0, [f"at {engine.home}/x a b"])
    *_, last = engine.asked("exec")
    assert last[:4] == ["exec", "-i", "-e", "WORD"], "values are no arguments"


def test_a_command_of_the_engine_runs_on_the_host(engine: Engine):
    box = runner()
    assert box.run_shell("docker pull other:1").exit_code == 0
    assert engine.asked("pull") == [["pull", "other:1"]]


def test_what_is_mounted_waits_on_the_host_and_the_rest_comes_in(engine: Engine, tmp_path: Path):
    for name in ("code", "key.pem", "late"):
        (tmp_path / name).write_text(name)
    box = runner("~/code", "~/ray_bootstrap_key.pem")
    box.put(str(tmp_path / "code"), "~/code")
    box.put(str(tmp_path / "key.pem"), "~/ray_bootstrap_key.pem")
    assert list(engine.home.iterdir()) == []
    assert box.start().exit_code == 0
    assert (engine.home / "ray_bootstrap_key.pem").read_text() == "key.pem"
    box.put(str(tmp_path / "late"), "~/sub/late")
    assert (engine.home / "sub" / "late").read_text() == "late"
    assert not (engine.home / "code").exists(), "it is the mount's business"


def test_what_is_inside_comes_out(engine: Engine, tmp_path: Path):
    box = runner()
    box.start()
    (engine.home / "result").write_text("42")
    box.get("~/result", str(tmp_path / "result"))
    assert (tmp_path / "result").read_text() == "42"


def test_what_is_not_inside_cannot_come_out(engine: Engine, tmp_path: Path):
    box = runner()
    box.start()
    with pytest.raises(TransientError, match="not copied"):
        box.get("~/missing", str(tmp_path / "result"))
