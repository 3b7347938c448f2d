"""Machines become nodes in the background: here each machine is this one, with bash and rsync."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raytui.backends import tags
from raytui.backends.base import LaunchRequest
from raytui.config.cluster import parse_cluster
from raytui.config.locations import ClusterPaths
from raytui.model.codec import encode
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.model.step import Step, StepStatus
from raytui.provisioning import making
from raytui.provisioning.provisioner import Provisioner
from tests.provisioning.folder_machines import FolderMachines
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "home"


def cluster(*commands: str, start: tuple[str, ...] = (), **more: object) -> ClusterSpec:
    """A cluster file with these set-up commands of workers, as it is on the head."""
    file = {
        "cluster_name": "c",
        "provider": {"type": "aws", "region": "r"},
        "auth": {"ssh_user": "ray"},
        "head_node_type": "head",
        "max_workers": 9,
        "available_node_types": {
            "head": {"node_config": {}, "resources": {"CPU": 1}},
            "small": {"node_config": {}, "resources": {"CPU": 1}, "max_workers": 9},
        },
        "setup_commands": [],
        "worker_setup_commands": commands,
        "worker_start_ray_commands": start,
        **more,
    }
    return parse_cluster(json.dumps(file), "file.yaml")


@contextlib.contextmanager
def provisioner(spec: ClusterSpec, machines: FolderMachines) -> Iterator[Provisioner]:
    """One that works as long as the context lasts."""
    provider = Provisioner(spec, machines, ClusterPaths("c").make())
    provider.start()
    try:
        yield provider
    finally:
        provider.close()


def launch(provider: Provisioner, count: int = 1, request: str = "r1") -> list[str]:
    launched = provider.launch(LaunchRequest(request, "small", count))
    return [instance.instance_id for instance in launched]


def worker(provider: Provisioner, name: str) -> Instance:
    return next(i for i in provider.list_instances() if i.instance_id == name)


def step(provider: Provisioner, name: str) -> Step | None:
    return next((s for s in provider.steps() if s.name == name), None)


def is_a_node(provider: Provisioner, name: str) -> Callable[[], bool]:
    return lambda: worker(provider, name).ray_started_at > 0


def test_a_machine_becomes_a_node_and_says_how_far_it_is(home: Path, tmp_path: Path):
    spec = cluster(
        "echo one; until test -e ~/go_on; do sleep 0.05; done", start=("echo started >> ~/log",)
    )
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        (name,) = launch(provider)
        eventually(lambda: worker(provider, name).detail == "set up 1/1: one")
        assert worker(provider, name).status is InstanceStatus.SETTING_UP
        assert provider.step_output(name, "set up 1/1", 1) == ["one"]
        assert provider.step_output(name, "../../done", 9) == []
        (home / "go_on").touch()
        eventually(is_a_node(provider, name))
        assert [s.status for s in provider.steps()] == [StepStatus.DONE] * 5
    assert (home / "log").read_text() == "started\n"


def test_a_failed_step_is_tried_again_alone_by_itself(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(making, "PAUSES_S", (0.1, 600.0))
    spec = cluster("echo once >> ~/first", "echo tried >> ~/second; echo no; test -e ~/fixed")
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        (name,) = launch(provider)
        eventually(lambda: "trying again in 9m" in worker(provider, name).detail)
        detail = worker(provider, name).detail
        assert detail.startswith("✕ set up 2/2: exit code 1: no · trying again in ")
        assert step(provider, "set up 1/2").status is StepStatus.DONE
        assert provider.retry(["other"]) == []
        (home / "fixed").touch()
        assert provider.retry([name]) == [name]
        eventually(is_a_node(provider, name))
        assert provider.retry([name]) == []
    assert (home / "first").read_text() == "once\n"
    assert (home / "second").read_text() == "tried\n" * 3


def test_what_fails_too_often_is_lost_with_the_steps_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(making, "PAUSES_S", (0.1, 0.1))
    with provisioner(cluster("echo no luck; exit 7"), FolderMachines(tmp_path)) as provider:
        (name,) = launch(provider)
        eventually(lambda: worker(provider, name).status is InstanceStatus.LOST)
        assert worker(provider, name).detail == "set up 1/1: exit code 7: no luck\nno luck"
        provider.terminate([name])
        assert [i.instance_id for i in provider.list_instances()] == ["head"]
        assert step(provider, "set up 1/1").status is StepStatus.FAILED, "it says why for a while"
        assert provider.step_output(name, "set up 1/1", 1) == ["no luck"]


def test_what_fails_beside_the_steps_is_tried_again_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(making, "PAUSES_S", (600.0,))
    spec = cluster(file_mounts={"~/code": str(tmp_path / "code")})
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        (name,) = launch(provider)
        eventually(lambda: "trying again" in worker(provider, name).detail)
        assert "No such file" in worker(provider, name).detail
        (tmp_path / "code").write_text("now it is there")
        assert provider.retry([name]) == [name]
        eventually(is_a_node(provider, name))
        assert not any(s.status is StepStatus.FAILED for s in provider.steps())
    assert (home / "code").read_text() == "now it is there"


def test_one_that_is_terminated_ends_what_runs_there(home: Path, tmp_path: Path):
    spec = cluster("echo $$ > ~/pid; sleep 600", "touch ~/never")
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        (name,) = launch(provider)
        eventually(lambda: (home / "pid").exists() and (home / "pid").read_text().strip())
        provider.terminate([name])
        assert not alive(int((home / "pid").read_text()))
    assert not (home / "never").exists()


def test_many_are_set_up_side_by_side_and_each_on_its_own(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One fails, and the others wait for each other: they would never end one after the other."""
    monkeypatch.setattr(making, "PAUSES_S", ())
    meet = "touch ~/here-$$; until test $(ls ~ | grep -c here) = 2; do sleep 0.05; done"
    spec = cluster(f"mkdir ~/first 2>/dev/null && exit 3; {meet}")
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        names = launch(provider, count=3)
        eventually(lambda: sum(is_a_node(provider, name)() for name in names) == 2)
        (failed,) = (one for name in names if not (one := worker(provider, name)).ray_started_at)
        assert failed.status is InstanceStatus.LOST
        assert failed.detail == "set up 1/1: exit code 3"


def test_no_more_than_so_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(making, "PAUSES_S", ())
    monkeypatch.setattr("raytui.provisioning.provisioner.AT_ONCE", 1)
    alone = cluster("mkdir ~/lock && sleep 0.1 && rmdir ~/lock")
    with provisioner(alone, FolderMachines(tmp_path)) as provider:
        names = launch(provider, count=4)
        eventually(lambda: all(is_a_node(provider, name)() for name in names))


def test_closing_ends_what_runs_and_begins_nothing_new(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("raytui.provisioning.provisioner.AT_ONCE", 2)
    spec = cluster("touch ~/pid-$$; sleep 600", "touch ~/never")
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        launch(provider, count=3)
        eventually(lambda: len(list(home.glob("pid-*"))) == 2)
    pids = [int(file.name.removeprefix("pid-")) for file in home.glob("pid-*")]
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)
    eventually(lambda: not any(t.name.startswith("set-up") for t in threading.enumerate()))
    assert not (home / "never").exists()


def test_who_was_not_started_only_lists(home: Path, tmp_path: Path):
    machines = FolderMachines(tmp_path)
    with provisioner(cluster("touch ~/{done}"), machines) as provider:
        (name,) = launch(provider)
        eventually(is_a_node(provider, name))
    idle = Provisioner(cluster("touch ~/never"), machines, ClusterPaths("c"))
    (other,) = launch(idle, request="r2")
    assert worker(idle, name).ray_started_at > 0
    assert worker(idle, other).status is InstanceStatus.ALLOCATED
    assert idle.steps() == []
    assert not (home / "never").exists()


KILLED = """
import sys, time
from pathlib import Path
from raytui.backends.base import LaunchRequest
from raytui.config.locations import ClusterPaths
from raytui.model.codec import decode
from raytui.model.spec import ClusterSpec
from raytui.provisioning.provisioner import Provisioner
from tests.provisioning.folder_machines import FolderMachines
spec = decode(Path(sys.argv[2]).read_bytes(), ClusterSpec)
provider = Provisioner(spec, FolderMachines(Path(sys.argv[1])), ClusterPaths("c").make())
provider.start()
print(provider.launch(LaunchRequest("r1", "small", 1))[0].instance_id, flush=True)
time.sleep(600)
"""


def test_after_a_kill_it_goes_on_and_what_was_left_running_is_ended_first(
    home: Path, tmp_path: Path
):
    spec = cluster(
        "echo once >> ~/first",
        "echo $$ >> ~/pids; until test -e ~/go_on; do sleep 0.05; done; echo end >> ~/second",
    )
    (tmp_path / "spec").write_bytes(encode(spec))
    argv = [sys.executable, "-c", KILLED, str(tmp_path), str(tmp_path / "spec")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        name = killed.stdout.readline().strip()
        eventually(lambda: (home / "pids").exists() and (home / "pids").read_text().strip())
        killed.send_signal(signal.SIGKILL)
    before = int((home / "pids").read_text())
    assert alive(before)
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        eventually(lambda: len((home / "pids").read_text().split()) == 2)
        assert not alive(before)
        (home / "go_on").touch()
        eventually(is_a_node(provider, name))
        assert step(provider, "set up 1/2").status is StepStatus.SKIPPED
    assert (home / "first").read_text() == "once\n"
    assert (home / "second").read_text() == "end\n"


def test_a_host_that_comes_back_only_needs_rays_start(home: Path, tmp_path: Path):
    spec = cluster("echo set up >> ~/log", start=("echo started >> ~/log",))
    with provisioner(spec, FolderMachines(tmp_path, ["m1"])) as provider:
        (first,) = launch(provider)
        eventually(is_a_node(provider, first))
        provider.terminate([first])
        (second,) = launch(provider, request="r2")
        eventually(is_a_node(provider, second))
    assert (home / "log").read_text() == "set up\nstarted\nstarted\n"


def test_a_changed_file_reaches_nodes_that_run(home: Path, tmp_path: Path):
    machines = FolderMachines(tmp_path)
    start = ("echo started >> ~/log",)
    with provisioner(cluster("echo one >> ~/log", start=start), machines) as provider:
        (name,) = launch(provider)
        eventually(is_a_node(provider, name))
        provider.reload(cluster("echo one >> ~/log", start=start, upscaling_speed=3))
        changed = cluster("echo two >> ~/log", start=start, no_restart=True)
        provider.reload(changed)
        eventually(lambda: "two" in (home / "log").read_text())
    assert (home / "log").read_text() == "one\nstarted\ntwo\n"
    with provisioner(cluster("echo three >> ~/log", start=start), machines) as provider:
        before = worker(provider, name).ray_started_at
        assert before > 0
        eventually(lambda: worker(provider, name).ray_started_at > before)
    assert (home / "log").read_text().endswith("three\nstarted\n")


def test_another_machine_is_only_told_of(tmp_path: Path):
    machines = FolderMachines(tmp_path)
    with provisioner(cluster(), machines) as provider:
        (name,) = launch(provider)
        eventually(is_a_node(provider, name))
        provider.reload(cluster(auth={"ssh_user": "other"}))
        eventually(lambda: step(provider, "compare with the cluster file"))
        assert worker(provider, name).ray_started_at > 0
        told = step(provider, "compare with the cluster file")
        assert "wants another machine" in told.detail


def test_files_follow_while_nodes_run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("raytui.provisioning.mounted_files._EVERY_S", 0.1)
    code = tmp_path / "code"
    code.mkdir()
    (code / "main.py").write_text("one")
    spec = cluster(
        "echo set up >> ~/log",
        start=("echo started >> ~/log",),
        file_mounts={"~/code": str(code)},
        file_mounts_sync_continuously=True,
    )
    machines = FolderMachines(tmp_path)
    with provisioner(spec, machines) as provider:
        (name,) = launch(provider)
        eventually(is_a_node(provider, name))
        before = machines.tags(name)[tags.CONTENTS]
        (code / "main.py").write_text("two!")
        eventually(lambda: (home / "code" / "main.py").read_text() == "two!")
        eventually(lambda: machines.tags(name)[tags.CONTENTS] != before)
    with provisioner(spec, machines) as provider:
        assert worker(provider, name).ray_started_at > 0
        eventually(lambda: worker(provider, name).detail == "")
    assert (home / "log").read_text() == "set up\nstarted\n"


def test_machines_that_set_themselves_up_are_left_alone(home: Path, tmp_path: Path):
    spec = cluster(
        "touch ~/never",
        provider={"type": "aws", "region": "r", "disable_node_updaters": True},
    )
    with provisioner(spec, FolderMachines(tmp_path)) as provider:
        (name,) = launch(provider)
        assert worker(provider, name).detail == "sets itself up"
        assert provider.steps() == []
    assert not (home / "never").exists()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
