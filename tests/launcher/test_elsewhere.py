"""`up` and `down` for clusters elsewhere, on real hosts; Ray runs where it must."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui import __version__
from raytui.backends.ssh.known_hosts import fingerprint, known_keys
from raytui.config.cluster import load_cluster
from raytui.config.launched import recall, remember
from raytui.config.locations import ClusterPaths
from raytui.launcher import down, up
from raytui.launcher.head_notes import claimed
from raytui.launcher.options import DownOptions, UpOptions
from raytui.launcher.reach import HeadReach
from raytui.model.step import LaunchError, Step
from tests.support.hosts import Engine, Host
from tests.support.on_premise import OnPremise, cluster_of_hosts
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ssh, pytest.mark.slow, pytest.mark.timeout(300)]

NO_RAY = {"head_start_ray_commands": ["true"], "worker_start_ray_commands": ["true"]}


@pytest.fixture(scope="module")
def machines(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPremise]:
    folder = tmp_path_factory.mktemp("first-laptop")
    with cluster_of_hosts(engine, folder, workers=1, name="there") as cluster:
        yield cluster


@pytest.fixture
def there(machines: OnPremise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OnPremise:
    """The same machines and a laptop that has never seen them but for their keys."""
    laptop = laptop_of(machines, tmp_path / "laptop")
    for name, value in laptop.environment.items():
        monkeypatch.setenv(name, value)
    machines.head.run("sh", "-c", "rm -rf /home/ray/.local /home/ray/ray_bootstrap_* /home/ray/t-*")
    return laptop


def laptop_of(machines: OnPremise, folder: Path) -> OnPremise:
    folder.mkdir()
    laptop = dataclasses.replace(machines, folder=folder)
    (folder / "ssh_config").write_text(
        f"UserKnownHostsFile {folder}/known_hosts\nGlobalKnownHostsFile none\n"
    )
    laptop.know_hosts()
    laptop.write()
    return laptop


def on_head(there: OnPremise, text: str) -> str:
    return there.head.run("sh", "-c", text)


def ours(host: Host) -> list[str]:
    """Command lines of what the user `ray` runs there, without logins."""
    lines = host.run("sh", "-c", "ps -u ray -o args= ww || true").splitlines()
    return [line for line in lines if not line.startswith("sshd:")]


def answered(there: OnPremise, answer: str, code: int, *words: str) -> str:
    """What raytui says on a terminal where somebody types the answer."""
    terminal, theirs = pty.openpty()
    try:
        os.write(terminal, answer.encode())
        done = subprocess.run(
            there.argv(*words),
            env={**os.environ, **there.environment},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(theirs)
        os.close(terminal)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_a_key_that_is_not_let_in_ends_it_at_once(there: OnPremise, tmp_path: Path):
    import paramiko

    key = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    there.write(auth={"ssh_user": "ray", "ssh_private_key": str(key)})
    began = time.monotonic()
    done = there.raytui("up", str(there.file))
    assert done.returncode == 1
    assert f"ray is not let in (tried: {key})" in done.stderr
    assert time.monotonic() - began < 20


def test_a_head_with_an_unknown_key_is_not_logged_in_to(there: OnPremise):
    there.know_hosts([])
    done = there.raytui("up", str(there.file))
    assert done.returncode == 1
    assert "unknown host key ssh-ed25519 SHA256:" in done.stderr
    assert on_head(there, "ls -A /home/ray/.local 2>&1 || true").startswith("ls:")


def test_a_changed_head_key_stops_it(there: OnPremise):
    [head, worker] = [host.known_hosts_line().split() for host in there.hosts]
    there.know_hosts([f"{head[0]} {worker[1]} {worker[2]}\n", " ".join(worker) + "\n"])
    done = there.raytui("up", str(there.file))
    assert done.returncode == 1
    assert "its host key has changed" in done.stderr
    assert "ssh-keygen -R" in done.stderr


def test_unknown_workers_are_not_trusted_until_somebody_says_so(there: OnPremise):
    [worker] = there.workers
    there.know_hosts([there.head.known_hosts_line()])
    there.write(**NO_RAY)
    refused = there.raytui("up", str(there.file))
    assert refused.returncode == 1
    assert f"raytui trust {there.file}" in refused.stderr
    assert worker.address in refused.stderr
    assert recall(ClusterPaths(there.name)) is None

    nobody = there.raytui("trust", str(there.file))
    assert nobody.returncode == 2
    trusted = there.raytui("trust", str(there.file), "-y")
    assert trusted.returncode == 0, trusted.stderr
    [known] = known_keys(ClusterPaths(there.name).known_hosts, worker.address)
    assert worker.known_hosts_line().split()[1:] == [known.key_type, encoded(known.blob)]
    assert fingerprint(known.blob) in trusted.stderr

    there.raytui("up", str(there.file))
    told = on_head(there, "cat /home/ray/ray_bootstrap_known_hosts; stat -c %a /home/ray/ray_*")
    assert told.splitlines() == [worker.known_hosts_line().strip(), "600", "600", "600"]


def encoded(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


def test_trust_begins_with_the_head(there: OnPremise):
    there.know_hosts([])
    done = there.raytui("trust", str(there.file), "-y")
    assert done.returncode == 0, done.stderr
    pinned = ClusterPaths(there.name).known_hosts.read_text()
    assert all(host.known_hosts_line() in pinned for host in there.hosts)


def test_a_head_that_is_down_is_told_after_a_while(there: OnPremise):
    with there.head.cut_off(), pytest.raises(LaunchError, match=r"no login within 0m02s: .*: no "):
        up(load_cluster(there.file), options=UpOptions(login_within_s=2))


def test_a_head_that_hangs_after_connect_is_told_after_a_while(there: OnPremise):
    with there.head.frozen(), pytest.raises(LaunchError, match="no answer during the handshake"):
        up(load_cluster(there.file), options=UpOptions(login_within_s=2))


def test_a_cluster_whose_head_is_gone_is_not_down_and_can_be_forgotten(there: OnPremise):
    spec = load_cluster(there.file)
    remember(ClusterPaths(there.name), spec)
    with there.head.cut_off(), pytest.raises(LaunchError, match="down there --forget"):
        down(spec, options=DownOptions(login_within_s=2))
    assert recall(ClusterPaths(there.name)) == spec
    assert there.raytui("down", there.name, "--forget").returncode == 0
    assert recall(ClusterPaths(there.name)) is None


def test_a_failed_set_up_command_is_shown_and_the_next_up_goes_on_with_it(there: OnPremise):
    commands = [
        "echo one >> ~/t-one",
        "echo two >> ~/t-two",
        "echo three; echo it lacks t-fixed; ls ~/t-fixed",
        "echo four >> ~/t-four",
    ]
    there.write(setup_commands=commands, **NO_RAY)
    failed = there.raytui("up", str(there.file))
    assert failed.returncode == 1
    assert "the head is not set up: set up 3/4: exit code 2" in failed.stderr
    assert "it lacks t-fixed" in failed.stderr
    log = there.state / "setup" / there.head.address
    assert "it lacks t-fixed" in next(log.glob("*set-up-3-4.log")).read_text()
    on_head(there, "touch /home/ray/t-fixed")
    again = there.raytui("up", str(there.file), "--json")
    told = [json.loads(line) for line in again.stdout.splitlines()]
    last = {step["name"]: step["status"] for step in told if step["node"] == "head"}
    assert [last[f"set up {n}/4"] for n in (1, 2, 3, 4)] == ["skipped", "skipped", "done", "done"]
    assert on_head(there, "cat /home/ray/t-one /home/ray/t-two /home/ray/t-four").split() == [
        "one",
        "two",
        "four",
    ]


def test_a_killed_up_is_completed_by_the_next_and_nothing_runs_twice(there: OnPremise):
    commands = [
        "echo one >> ~/t-one",
        "echo began >> ~/t-began; while ! [ -e ~/t-go ]; do sleep 0.1; done; echo end >> ~/t-end",
    ]
    there.write(setup_commands=commands, **NO_RAY)
    with there.start("up", str(there.file)) as process:
        eventually(
            lambda: on_head(there, "ls /home/ray | grep -c t-began || true") == "1", what="began"
        )
        os.killpg(process.pid, signal.SIGKILL)
    with there.start("up", str(there.file)) as process:
        eventually(
            lambda: on_head(there, "cat /home/ray/t-began").split() == ["began"] * 2,
            what="began again",
        )
        on_head(there, "touch /home/ray/t-go")
        process.communicate()
    assert on_head(there, "cat /home/ray/t-one /home/ray/t-end").split() == ["one", "end"]


def test_two_people_do_not_bring_it_up_at_once(there: OnPremise, tmp_path: Path):
    there.write(
        setup_commands=["touch ~/t-began; while ! [ -e ~/t-go ]; do sleep 0.1; done"], **NO_RAY
    )
    other = laptop_of(there, tmp_path / "other")
    with there.start("up", str(there.file)) as process:
        eventually(
            lambda: on_head(there, "ls /home/ray | grep -c t-began || true") == "1", what="began"
        )
        refused = other.raytui("up", str(other.file))
        assert refused.returncode == 1
        assert f"(raytui up, {there.state}) is at work on there now" in refused.stderr
        same = there.raytui("up", str(there.file))
        assert same.returncode == 1
        assert f"pid {process.pid} (up) holds" in same.stderr
        on_head(there, "touch /home/ray/t-go")
        process.communicate()
    assert "is at work" not in other.raytui("down", str(other.file), "-y").stderr


def test_a_dry_run_tells_all_and_changes_nothing(there: OnPremise):
    there.write(setup_commands=["echo prepare"])
    done = there.raytui("up", str(there.file), "--dry-run", "--max-workers", "1", "-n", "other")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("other: provider local, at most 1 workers\n")
    assert f"head {there.head.address}: it is not up\n  set up: it was never" in done.stdout
    assert "  set up 1/1: echo prepare\n" in done.stdout
    assert f"workers local.cluster.node: 1 to 1 on {there.workers[0].address}" in done.stdout
    assert on_head(there, "ls -A /home/ray | grep -E 'bootstrap|t-' || true") == ""
    assert recall(ClusterPaths("other")) is None


@pytest.mark.ray
def test_from_bare_hosts_to_a_cluster_and_back(there: OnPremise):
    spec = load_cluster(there.file)
    told: list[Step] = []
    up(spec, told.append)
    last = {(step.node, step.name): step for step in told}
    assert last["", "wait for the first nodes"].detail == "all are running"
    assert any(node.startswith(there.workers[0].address) for node, _ in last)
    report = json.loads(there.raytui("status", "--json", there.name).stdout)
    assert [n["status"] for n in report["nodes"]] == ["running", "running"]

    # A daemon that dies is started again by its keeper.
    [daemon] = on_head(there, "pgrep -f '[d]aemon run'").split()
    on_head(there, f"kill -9 {daemon}")
    eventually(
        lambda: on_head(there, "pgrep -f '[d]aemon run' || true") not in ("", daemon),
        what="another",
    )

    # Ray is left alone unless somebody agrees.
    gcs = on_head(there, "pgrep gcs_server")
    with pytest.raises(LaunchError, match="there was left as it was"):
        up(spec, options=UpOptions(ask=lambda _: False))
    assert "Go on? [y/N]" in answered(there, "\n", 130, "up", str(there.file))
    up(spec)
    done = there.raytui("up", str(there.file), "--no-restart")
    assert done.returncode == 0, done.stderr
    assert "all are running" in done.stderr
    assert on_head(there, "pgrep gcs_server") == gcs

    # raytui there is broken: down ends the head all the same, and says who was not seen to.
    on_head(there, "echo exit 127 > /home/ray/.local/share/raytui/raytui")
    with pytest.raises(LaunchError, match=f"could not end the workers.*{there.workers[0].address}"):
        down(spec)
    assert ours(there.head) == []
    assert recall(ClusterPaths(there.name)) is not None

    # The worker has missed its head, or is taken over from the life before.
    again = there.raytui("up", str(there.file))
    assert again.returncode == 0, again.stderr
    assert "all are running" in again.stderr
    ended = there.raytui("down", there.name, "-y")
    assert ended.returncode == 0, ended.stderr
    for host in there.hosts:
        assert ours(host) == []
    assert on_head(there, "ls -A /home/ray | grep bootstrap || true") == ""


def test_a_claim_holds_until_it_is_let_go_or_its_holder_falls_silent(there: OnPremise):
    spec = load_cluster(there.file)
    with HeadReach(spec, ClusterPaths("there")) as reach:
        with claimed(reach.host, "there", "ann@one"):
            with pytest.raises(LaunchError, match="ann@one is at work on there now"):
                take(reach, "bob@two")
            take(reach, "bob@two", cluster="another")
            on_head(there, f"touch -d '61 seconds ago' {CLAIM}")
            take(reach, "bob@two")
            # Who was taken for gone does not take the claim of the next one away.
            take(reach, "cleo@three")
        take(reach, "bob@two")


CLAIM = "/home/ray/.local/share/raytui/clusters/there/claim"


def take(reach: HeadReach, owner: str, *, cluster: str = "there") -> None:
    with claimed(reach.host, cluster, owner):
        pass


def test_a_head_without_raytui_gets_it_from_here(there: OnPremise):
    """A Python of its own, whose pip finds no index: what is installed came over SSH."""
    own = "/home/ray/own"
    make = f"{sys.executable} -m venv {own} && cd {own}/lib/python3.*/site-packages && touch ray.py"
    on_head(there, f"su ray -c '{make} && ln -s python {own}/bin/ray'")
    on_head(there, "cp /home/ray/.bashrc /root/bashrc")
    on_head(there, f"echo 'export PATH={own}/bin:$PATH' >> /home/ray/.bashrc")
    try:
        there.write(**NO_RAY)
        first = there.raytui("up", str(there.file))
        assert f"raytui {__version__} in {own}/bin/python" in first.stderr
        assert "no head of there is running" in first.stderr
        second = there.raytui("up", str(there.file))
        assert "the head has it" in second.stderr
    finally:
        on_head(there, f"cat /root/bashrc > /home/ray/.bashrc; rm -r {own}")
