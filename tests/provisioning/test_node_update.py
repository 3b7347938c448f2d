"""Setting up nodes for real: bash and rsync of this machine, each node with a home of its own."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raytui.backends.base import AuthError, ProviderError, TransientError
from raytui.backends.local_runner import LocalRunner
from raytui.model.step import Step, StepStatus
from raytui.provisioning.deciding import Change
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_update import NodeUpdate, Updated, update_node
from tests.support.waiting import eventually

HASHES = NodeHashes("l", "r", "c")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Watching:
    """Takes steps as they are told."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def __call__(self, step: Step) -> None:
        self.steps.append(step)

    def ended(self) -> dict[str, StepStatus]:
        """How each step stood at last, in order."""
        return {step.name: step.status for step in self.steps}

    def last(self, name: str) -> Step:
        return [step for step in self.steps if step.name == name][-1]


def node(*commands: str, number: int = 1, **more: object) -> NodeUpdate:
    setup = NodeSetup(f"i-{number}", False, HASHES, setup_commands=commands, **more)
    return NodeUpdate(setup, LocalRunner(), "c")


def update(job: NodeUpdate, directory: Path) -> tuple[Updated, Watching]:
    watching = Watching()
    return update_node(job, directory / "setup", watching), watching


def test_all_is_done_in_order_and_told(home: Path, tmp_path: Path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "main.py").write_text("print()")
    job = node(
        "cat ~/code/main.py",
        "echo $WHO; echo done",
        env={"WHO": "me"},
        file_mounts={"~/code": str(tmp_path / "code")},
        synced_files=("~/missing",),
        start_commands=("echo started",),
    )
    updated, watching = update(job, tmp_path)
    assert updated == Updated("i-1", Change.SET_UP, HASHES)
    done, skipped = StepStatus.DONE, StepStatus.SKIPPED
    assert watching.ended() == {
        "wait for login": done,
        "copy ~/code": done,
        "copy ~/missing": skipped,
        "set up 1/2": done,
        "set up 2/2": done,
        "start Ray 1/1": done,
    }
    told = watching.last("set up 2/2")
    assert told.detail == "done"
    assert told.ended_at >= told.started_at > 0
    output = Path(told.output)
    assert output.read_text() == "$ echo $WHO; echo done\nme\ndone\n"
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert stat.S_IMODE(output.parent.stat().st_mode) == 0o700


def test_the_whole_plan_is_told_before_it_begins(tmp_path: Path):
    _, watching = update(node("true", "true"), tmp_path)
    waiting = [s.name for s in watching.steps if s.status is StepStatus.WAITING]
    assert waiting == ["set up 1/2", "set up 2/2"]


def test_a_failed_step_is_tried_again_alone_and_the_rest_goes_on(home: Path, tmp_path: Path):
    job = node(
        "echo once >> ~/first",
        "test -e ~/fixed || { echo it is broken; exit 7; }",
        "echo once >> ~/last",
    )
    updated, watching = update(job, tmp_path)
    assert updated.failed_step == "set up 2/3"
    assert updated.error == "set up 2/3: exit code 7: it is broken"
    assert updated.detail == "it is broken\n"
    assert updated.hashes == NodeHashes()
    assert watching.ended()["set up 3/3"] is StepStatus.WAITING
    (home / "fixed").touch()
    updated, watching = update(job, tmp_path)
    assert updated == Updated("i-1", Change.SET_UP, HASHES)
    assert watching.last("set up 1/3").detail == "done before"
    assert [(home / f).read_text() for f in ("first", "last")] == ["once\n", "once\n"]


def test_a_changed_command_is_done_and_those_before_it_are_not_done_again(
    home: Path, tmp_path: Path
):
    update(node("echo a >> ~/log", "exit 1"), tmp_path)
    updated, _ = update(node("echo a >> ~/log", "echo b >> ~/log"), tmp_path)
    assert not updated.error
    assert (home / "log").read_text() == "a\nb\n"


def test_a_try_that_ends_early_forgets_nothing(home: Path, tmp_path: Path):
    job = node("echo a >> ~/log", "echo b >> ~/log", "test -e ~/fixed")
    update(job, tmp_path)
    stopping = threading.Event()

    def stop_at_first(told: Step) -> None:
        if told.name == "set up 1/3" and told.status is StepStatus.SKIPPED:
            stopping.set()

    assert update_node(job, tmp_path / "setup", stop_at_first, stopping).error == "stopped"
    (home / "fixed").touch()
    assert not update(job, tmp_path)[0].error
    assert (home / "log").read_text() == "a\nb\n"


def test_going_back_to_an_earlier_command_runs_it_again(home: Path, tmp_path: Path):
    for command in ("echo b >> ~/log", "echo c >> ~/log; exit 1", "echo b >> ~/log"):
        update(node(command, "exit 1"), tmp_path)
    assert (home / "log").read_text() == "b\nc\nb\n"


def test_what_is_finished_is_forgotten(home: Path, tmp_path: Path):
    job = node("echo a >> ~/log")
    update(job, tmp_path)
    update(job, tmp_path)
    assert (home / "log").read_text() == "a\na\n", "its tags were lost, so it is set up anew"


def test_starting_ray_is_done_as_a_whole(home: Path, tmp_path: Path):
    job = node("true", start_commands=("echo stop >> ~/log", "test -e ~/fixed"))
    assert update(job, tmp_path)[0].failed_step == "start Ray 2/2"
    (home / "fixed").touch()
    assert not update(job, tmp_path)[0].error
    assert (home / "log").read_text() == "stop\nstop\n"


KILLED = """
import sys
from pathlib import Path
from raytui.backends.local_runner import LocalRunner
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_update import NodeUpdate, update_node
setup = NodeSetup("i-1", False, NodeHashes("l", "r", "c"), setup_commands=tuple(sys.argv[2:]))
update_node(NodeUpdate(setup, LocalRunner(), "c"), Path(sys.argv[1]), lambda step: None)
"""


def test_a_run_that_was_killed_is_continued(home: Path, tmp_path: Path):
    commands = ("echo a >> ~/log", "touch ~/there; until test -e ~/go_on; do sleep 0.05; done")
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "setup"), *commands])
    eventually(lambda: (home / "there").exists())
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (home / "go_on").touch()
    updated, watching = update(node(*commands), tmp_path)
    assert not updated.error
    assert watching.last("set up 1/2").status is StepStatus.SKIPPED
    assert (home / "log").read_text() == "a\n"


def test_secrets_are_masked_wherever_output_goes(tmp_path: Path):
    job = node(
        "echo $HF_TOKEN; export DB_PASSWORD=hunter2; echo DB_PASSWORD=$DB_PASSWORD; exit 1",
        env={"HF_TOKEN": "hf_abcdefgh"},
    )
    updated, watching = update(job, tmp_path)
    files = "".join(p.read_text() for p in (tmp_path / "setup").rglob("*") if p.is_file())
    shown = f"{updated}{watching.steps}{files}"
    assert "HF_TOKEN" in shown
    assert "hf_abcdefgh" not in shown
    assert "hunter2" not in shown


def test_colours_and_titles_stay_out_of_the_last_line(tmp_path: Path):
    updated, _ = update(
        node(r"printf '\033]0;title\007\033[1;31mno\033[0m  luck\a\n'; exit 1"), tmp_path
    )
    assert updated.error == "set up 1/1: exit code 1: no luck"


def test_a_missing_mount_says_so(tmp_path: Path):
    updated, _ = update(node(file_mounts={"~/x": str(tmp_path / "none")}), tmp_path)
    assert updated.failed_step == "copy ~/x"
    assert "no such file or directory here" in updated.error


def test_a_node_that_is_as_it_should_be_is_left_alone(tmp_path: Path):
    setup = NodeSetup("i-1", False, HASHES, setup_commands=("exit 1",))
    job = NodeUpdate(setup, LocalRunner(), "c", known=HASHES)
    updated, watching = update(job, tmp_path)
    assert updated == Updated("i-1", Change.NOTHING, HASHES)
    assert list(watching.ended()) == ["wait for login"]


class Unreachable(LocalRunner):
    """A machine that cannot be reached, the first time in this way."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__()
        self.error = error

    def run(self, *_: object, **__: object):
        raise self.error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TransientError("connection refused"), "no login within 0m00s: connection refused"),
        (AuthError("the key of the host has changed"), "the key of the host has changed"),
    ],
)
def test_a_machine_that_cannot_be_reached_says_why(
    tmp_path: Path, error: ProviderError, words: str
):
    setup = NodeSetup("i-1", False, HASHES)
    job = NodeUpdate(setup, Unreachable(error), "c")
    updated = update_node(job, tmp_path / "setup", Watching(), login_within_s=0)
    assert (updated.failed_step, updated.error) == ("wait for login", words)
