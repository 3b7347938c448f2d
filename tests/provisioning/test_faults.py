"""What may befall a real host while it is set up over SSH."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.model.spec import AuthSpec
from raytui.model.step import Step, StepStatus
from raytui.provisioning.deciding import Change
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_update import NodeUpdate, Updated, update_node
from tests.ssh.conftest import LIMITS
from tests.support.hosts import Engine, Host, wait_until

pytestmark = [pytest.mark.ssh, pytest.mark.slow]

HASHES = NodeHashes("l", "r", "c")


@pytest.fixture
def host(engine: Engine) -> Iterator[Host]:
    with engine.host("faulty", "--tmpfs", "/small:size=2m,mode=1777") as one:
        yield one


class Work:
    """The set-up of one host, in a thread of its own."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder
        auth = AuthSpec(ssh_user="ray", ssh_private_key=str(host.engine.key))
        target = ssh_target(host.address, auth, ours=True, config="none")
        keys = HostKeys(folder / "known_hosts")
        self.runner = SshRunner(SshConnection(target, keys, LIMITS))
        self.steps: dict[str, Step] = {}
        self._updated: Updated | None = None

    def do(self, *commands: str, **more: object) -> Updated:
        setup = NodeSetup("i-1", False, HASHES, setup_commands=commands, **more)
        update = NodeUpdate(setup, self.runner, "c")
        return update_node(update, self.folder / "setup", self._told, login_within_s=60)

    @contextlib.contextmanager
    def doing(self, *commands: str) -> Iterator[threading.Thread]:
        """It goes on beside the block, which is entered when the first command has begun."""

        def work() -> None:
            self._updated = self.do(*commands)

        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: self.lines("begun") == 1, "the begin")
        yield thread

    def result(self, thread: threading.Thread) -> Updated:
        thread.join(90)
        assert self._updated is not None, "it does not end"
        return self._updated

    def lines(self, name: str) -> int:
        """How many lines a file in the home of the host has."""
        said = self.host.run("sh", "-c", f"cat /home/ray/{name} 2>/dev/null | wc -l")
        return int(said)

    def output(self, name: str) -> str:
        return Path(self.steps[name].output).read_text()

    def _told(self, step: Step) -> None:
        self.steps[step.name] = step


@pytest.fixture
def work(host: Host, tmp_path: Path) -> Iterator[Work]:
    one = Work(host, tmp_path)
    yield one
    one.runner.close()


LONG = "echo x >> ~/begun; echo here; until test -e ~/go_on; do sleep 0.1; done; echo x >> ~/ended"


def loops(host: Host) -> set[str]:
    """The sessions in which the long command waits, seen in several looks: it naps and wakes."""
    look = "ps -eo sid,args | grep '[s]leep 0.1$' | awk '{print $1}'"
    script = f"for look in 1 2 3 4 5 6 7 8; do {look}; sleep 0.06; done"
    return set(host.run("sh", "-c", script).split())


def test_sshd_killed_in_mid_step_repeats_that_step_alone(work: Work, host: Host):
    with work.doing(LONG, "echo x >> ~/last") as thread:
        host.signal(signal.SIGKILL, listener=False)
        wait_until(lambda: work.lines("begun") == 2, "the second begin")
        assert len(loops(host)) == 1
        host.run("touch", "/home/ray/go_on")
    assert work.result(thread) == Updated("i-1", Change.SET_UP, HASHES)
    assert (work.lines("begun"), work.lines("ended"), work.lines("last")) == (2, 1, 1)
    assert "the connection ended while" in work.output("set up 1/2")
    assert host.run("ls", "/home/ray/.cache/raytui/running") == ""


@pytest.mark.parametrize("befalls", [Host.cut_off, Host.frozen])
def test_a_host_that_is_away_for_a_while_goes_on_when_it_is_back(
    work: Work, host: Host, befalls: Callable[[Host], contextlib.AbstractContextManager[None]]
):
    with work.doing(LONG, "echo x >> ~/last") as thread:
        with befalls(host):
            wait_until(lambda: "while running" in work.steps["set up 1/2"].detail, "the silence")
            wait_until(lambda: "while" not in work.steps["set up 1/2"].detail, "a login in vain")
            assert work.steps["set up 1/2"].status is StepStatus.RUNNING
        wait_until(lambda: work.lines("begun") == 2, "the second begin")
        assert len(loops(host)) == 1
        host.run("touch", "/home/ray/go_on")
    assert not work.result(thread).error
    assert (work.lines("begun"), work.lines("ended"), work.lines("last")) == (2, 1, 1)


def test_a_host_whose_key_changed_meanwhile_ends_it_for_good(work: Work, host: Host):
    with work.doing(LONG) as thread:
        host.change_key()
        host.signal(signal.SIGKILL, listener=False)
    updated = work.result(thread)
    assert updated.is_final
    assert "host key has changed" in updated.error
    assert updated.failed_step == "set up 1/1"


def test_a_wrong_key_is_told_at_once(host: Host, tmp_path: Path):
    wrong = tmp_path / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", wrong], check=True)
    work = Work(host, tmp_path)
    auth = AuthSpec(ssh_user="ray", ssh_private_key=str(wrong))
    target = ssh_target(host.address, auth, ours=True, config="none")
    work.runner = SshRunner(SshConnection(target, HostKeys(tmp_path / "known_hosts"), LIMITS))
    updated = work.do("true")
    assert updated.is_final
    assert "is not let in" in updated.error


def test_a_full_disk_says_so_and_is_not_tried_for_ever(work: Work, tmp_path: Path):
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    updated = work.do(file_mounts={"/small/large": str(tmp_path / "large")})
    assert updated.failed_step == "copy /small/large"
    assert "disk" in updated.error
    assert not updated.is_final
    assert "---" not in work.output("copy /small/large"), "it was no cut"


def test_a_full_home_is_the_commands_own_business(engine: Engine, tmp_path: Path):
    with engine.host("full", "--tmpfs", "/home/ray:size=64k,mode=1777") as full:
        full.run("chown", "ray", "/home/ray")
        full.run("sh", "-c", "head -c 100000 /dev/zero > /home/ray/fill || true")
        work = Work(full, tmp_path)
        assert not work.do("echo fine").error
        updated = work.do("echo fine", "echo more > ~/more")
        work.runner.close()
    assert updated.failed_step == "set up 2/2"
    assert "No space left on device" in updated.error


def test_a_hundred_megabytes_of_output_stay_small_here(work: Work):
    script = "yes \"$(seq -s ' ' 70)\" | head -c 100000000; echo; echo the end"
    tracemalloc.start()
    updated = work.do(script)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not updated.error
    assert work.steps["set up 1/1"].detail == "the end"
    assert peak < 20_000_000
    output = Path(work.steps["set up 1/1"].output)
    assert output.stat().st_size < 3_000_000
    assert "bytes left out" in output.read_text()
    assert output.read_text().endswith("the end\n")


def test_a_command_that_fails_keeps_its_output_and_is_tried_alone_after_the_fix(
    work: Work, host: Host
):
    commands = (
        "echo x >> ~/first",
        "echo x >> ~/second",
        "echo what was said; cat ~/config || exit 3",
        "echo x >> ~/last",
    )
    updated = work.do(*commands)
    assert updated.failed_step == "set up 3/4"
    assert "exit code 3" in updated.error
    assert "what was said\ncat: /home/ray/config: No such file" in work.output("set up 3/4")
    host.run("touch", "/home/ray/config")
    assert not work.do(*commands).error
    assert [work.lines(name) for name in ("first", "second", "last")] == [1, 1, 1]


KILLED = """
import sys
from pathlib import Path
from tests.provisioning.test_faults import Work
from tests.support.hosts import Engine, Host
folder, engine, container, address, *commands = sys.argv[1:]
Work(Host(Engine(Path(engine), ""), container, address), Path(folder)).do(*commands)
"""


@pytest.mark.parametrize("command", [LONG, f"sudo -n sh -c {LONG!r}", f"setsid sh -c {LONG!r}"])
def test_a_killed_caller_leaves_nothing_that_runs_beside_the_next(
    work: Work, host: Host, command: str, tmp_path: Path
):
    command = command.replace("~", "/home/ray")
    argv = [sys.executable, "-c", KILLED, str(tmp_path), str(host.engine.folder), host.container]
    with subprocess.Popen([*argv, host.address, "echo x >> ~/first", command]) as killed:
        wait_until(lambda: work.lines("begun") == 1, "the begin", killed)
        killed.send_signal(signal.SIGKILL)
    assert loops(host)
    with work.doing("echo x >> ~/first", command) as thread:
        wait_until(lambda: work.lines("begun") == 2, "the second begin")
        assert len(loops(host)) == 1
        host.run("touch", "/home/ray/go_on")
    assert not work.result(thread).error
    assert (work.lines("first"), work.lines("ended")) == (1, 1)
    assert work.steps["set up 1/2"].status is StepStatus.SKIPPED


def test_what_a_command_leaves_running_on_purpose_is_left_alone(work: Work, host: Host):
    assert work.do("nohup sleep 600 > /dev/null & echo x", "false").failed_step == "set up 2/2"
    assert not work.do("nohup sleep 600 > /dev/null & echo x", "true").error
    assert host.run("pgrep", "-cx", "sleep") == "1"
