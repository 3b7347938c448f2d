"""Docker mode on real hosts: a head and a worker whose Ray lives in containers of their engines."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from raytui.backends.ssh.connection import SshConnection
from raytui.backends.ssh.host_keys import HostKeys
from raytui.backends.ssh.runner import SshRunner
from raytui.backends.ssh.target import ssh_target
from raytui.config.cluster import parse_cluster
from raytui.model.spec import AuthSpec, ClusterSpec
from raytui.model.step import Step
from raytui.provisioning.deciding import Change
from raytui.provisioning.docker_runner import DockerRunner
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import head_setup, worker_setup
from raytui.provisioning.node_update import NodeUpdate, Updated, update_node
from tests.support import hosts, nested_engine
from tests.support.host_image import WITH_ENGINES
from tests.support.hosts import Host

pytestmark = [pytest.mark.ssh, pytest.mark.slow]

ENGINES = {"docker": nested_engine.start_docker, "podman": nested_engine.start_podman}
SMALL = "--object-store-memory=80000000 --disable-usage-stats"


@dataclass(frozen=True)
class Machine:
    """A host with an engine, and how we reach it."""

    host: Host
    runner: SshRunner


@dataclass(frozen=True)
class Pair:
    """Two machines, and a cluster file for them."""

    head: Machine
    worker: Machine
    spec: ClusterSpec
    folder: Path

    def inside(self, machine: Machine) -> DockerRunner:
        docker = self.spec.head.docker
        assert docker is not None
        return DockerRunner(
            machine.runner, docker, self.spec.cluster_name, self.spec.files.file_mounts
        )

    def updates(self, known: NodeHashes) -> list[NodeUpdate]:
        """The set-ups of both."""
        bootstrap = {"~/ray_bootstrap_key.pem": str(self.folder / "key.pem")}
        head = head_setup(self.spec, self.head.host.address, bootstrap=bootstrap)
        (node_type,) = self.spec.node_types.values()
        worker = worker_setup(
            self.spec, node_type, self.worker.host.address, self.head.host.address
        )
        name = self.spec.cluster_name
        return [
            NodeUpdate(head, self.head.runner, name, known=known),
            NodeUpdate(worker, self.worker.runner, name, known=known),
        ]

    def set_up(self, update: NodeUpdate) -> tuple[Updated, list[Step]]:
        told: list[Step] = []
        return update_node(update, self.folder / "setup", told.append, login_within_s=30), told


def cluster_file(engine: str, head: str, worker: str, user: str, key: Path, mounts: Path) -> str:
    python = f"export PATH={Path(sys.prefix) / 'bin'}:$PATH"
    return json.dumps(
        {
            "cluster_name": "boxed",
            "provider": {"type": "local", "head_ip": head, "worker_ips": [worker]},
            "auth": {"ssh_user": user, "ssh_private_key": str(key)},
            "docker": nested_engine.docker_section(use_podman=engine == "podman"),
            "file_mounts": {"~/code": str(mounts)},
            "initialization_commands": ["touch ~/on-the-host"],
            "setup_commands": [
                f"echo {shlex.quote(python)} >> ~/.bashrc",
                "test ! -e ~/on-the-host && python ~/code/main.py > ~/inside",
            ],
            "head_start_ray_commands": [
                "ray stop",
                "ray start --head --port=6379 --include-dashboard=false"
                f" --autoscaling-config=~/ray_bootstrap_config.yaml {SMALL}",
            ],
            "worker_start_ray_commands": [
                "ray stop",
                f"ray start --address=$RAY_HEAD_IP:6379 {SMALL}",
            ],
        }
    )


@pytest.fixture(scope="module", params=ENGINES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("boxed")
    (folder / "code").mkdir()
    (folder / "code" / "main.py").write_text("print('from main')")
    (folder / "key.pem").write_text("secret")
    (folder / "key.pem").chmod(0o600)
    # podman without a daemon is root's here: user namespaces inside of containers are not given
    user = "root" if request.param == "podman" else "ray"
    with ExitStack() as stack:
        engine = stack.enter_context(hosts.engine())
        options = nested_engine.options()
        names = (f"{request.param}-head", f"{request.param}-worker")
        both = stack.enter_context(engine.hosts(*names, options=options, image=WITH_ENGINES))
        with ThreadPoolExecutor() as pool:
            list(pool.map(ENGINES[request.param], both))
        head, worker = (host.address for host in both)
        text = cluster_file(request.param, head, worker, user, engine.key, folder / "code")
        spec = parse_cluster(text, "boxed.yaml")
        auth = AuthSpec(ssh_user=user, ssh_private_key=str(engine.key))
        keys = HostKeys(folder / "known_hosts")
        machines = []
        for host in both:
            target = ssh_target(host.address, auth, ours=True, config="none")
            connection = stack.enter_context(SshConnection(target, keys))
            machines.append(Machine(host, SshRunner(connection)))
        yield Pair(*machines, spec, folder)


@pytest.fixture(scope="module")
def nodes(pair: Pair) -> Pair:
    """Both, set up."""
    for update in pair.updates(NodeHashes()):
        done, _ = pair.set_up(update)
        assert not done.error, (done.error, done.detail)
    return pair


def ask(pair: Pair, machine: Machine, text: str) -> str:
    """What a command in the machine's container prints."""
    result = pair.inside(machine).run_shell(text, timeout_s=60)
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.mark.ray
def test_ray_in_two_containers_is_one_cluster(nodes: Pair):
    code = "import ray; ray.init('auto', logging_level='ERROR'); print(len(ray.nodes()))"
    assert ask(nodes, nodes.head, f"python -c {shlex.quote(code)}").endswith("2")


def test_commands_ran_where_they_belong(nodes: Pair):
    for machine in (nodes.head, nodes.worker):
        assert ask(nodes, machine, "cat ~/inside") == "from main"
        home = machine.runner.run(["sh", "-c", "ls -A ~"]).output.split()
        assert "on-the-host" in home
        assert "inside" not in home


def test_what_only_the_head_needs_is_in_its_container_and_private(nodes: Pair):
    shown = ask(
        nodes, nodes.head, "stat -c %a ~/ray_bootstrap_key.pem; cat ~/ray_bootstrap_key.pem"
    )
    assert shown.split() == ["600", "secret"]


def test_files_come_in_and_out(nodes: Pair, tmp_path: Path):
    box = nodes.inside(nodes.worker)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a file").write_text("42")
    box.put(f"{tmp_path}/in/", "~/deep/folder/")
    assert ask(nodes, nodes.worker, "cat ~/deep/folder/*") == "42"
    box.get("~/deep/folder/", f"{tmp_path}/out/")
    assert (tmp_path / "out" / "a file").read_text() == "42"


def test_a_mounted_file_is_seen_at_once(nodes: Pair, tmp_path: Path):
    (tmp_path / "new.py").write_text("new")
    nodes.inside(nodes.worker).put(f"{tmp_path}/new.py", "~/code/new.py")
    assert ask(nodes, nodes.worker, "cat ~/code/new.py") == "new"


def test_variables_come_in_and_are_in_no_argument(nodes: Pair):
    box = nodes.inside(nodes.head)
    text = 'echo "$WORD" && ! grep "a[ ]b" /proc/[0-9]*/cmdline'
    result = box.run_shell(text, env={"WORD": "a b'\n"})
    assert (result.exit_code, result.output) == (0, "a b'\n\n")


def test_a_stream_goes_into_the_container(nodes: Pair):
    import subprocess

    argv = nodes.inside(nodes.head).stream_command(["sh", "-c", "read line; echo got $line; pwd"])
    done = subprocess.run(argv, input="word\n", capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[0] == "got word", done.stderr


def test_a_container_that_is_gone_is_made_anew_and_one_that_runs_is_left(nodes: Pair):
    update = nodes.updates(nodes.updates(NodeHashes())[1].setup.hashes)[1]
    done, told = nodes.set_up(update)
    assert (done.change, done.error) == (Change.NOTHING, "")
    program = "podman" if update.setup.docker and update.setup.docker.use_podman else "docker"
    assert nodes.worker.runner.run([program, "kill", "ray_container"]).exit_code == 0
    done, told = nodes.set_up(update)
    assert (done.change, done.error) == (Change.SET_UP, ""), done.detail
    assert ask(nodes, nodes.worker, "cat ~/inside") == "from main"
    assert "no container ray_container runs" in {step.detail for step in told}


def test_a_stopped_container_is_gone(nodes: Pair):
    box = nodes.inside(nodes.worker)
    assert box.stop().exit_code == 0
    assert "no container" in box.why_start()
    names = nodes.worker.runner.run(["pgrep", "-a", "raylet"])
    assert names.output == ""
