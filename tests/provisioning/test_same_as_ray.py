"""The set-up of a node, side by side with Ray's own updater at work on a machine that notes all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raytui.config.cluster import parse_cluster
from raytui.model.spec import ClusterSpec
from raytui.provisioning.deciding import Change, Restarts, decide
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import (
    CopyFiles,
    NodeSetup,
    RunCommand,
    StartContainer,
    head_setup,
    worker_setup,
)

updater = pytest.importorskip("ray.autoscaler._private.updater")
util = pytest.importorskip("ray.autoscaler._private.util")

FILE = """
cluster_name: c
provider: {type: aws, region: us-west-2}
auth: {ssh_user: ubuntu}
head_node_type: head
available_node_types:
  head: {node_config: {InstanceType: m5.large}, resources: {CPU: 2}, labels: {zone: a}}
  gpu: {node_config: {InstanceType: g5.xlarge}, resources: {CPU: 4, GPU: 1}, max_workers: 2}
file_mounts: {~/code: DIRECTORY, /etc/one: DIRECTORY/one}
cluster_synced_files: [DIRECTORY/synced, DIRECTORY/missing]
initialization_commands: [init 1, init 2]
setup_commands: [set up]
head_setup_commands: [set up the head]
head_start_ray_commands: [ray stop, ray start --head --no-monitor]
"""

Note = tuple[Any, ...]


class Machine:
    """What Ray's updater asks of a provider and of a command runner, noted."""

    def __init__(self, tags: dict[str, str], docker: bool, container_waits: bool) -> None:
        self.tags = tags
        self.docker = docker
        self.container_waits = container_waits
        self.notes: list[Note] = []

    # The provider.
    provider_config: dict[str, Any] = {}  # noqa: RUF012 - empty, so that Ray starts no CloudWatch

    def get_command_runner(self, *_: Any) -> Machine:
        return self

    def node_tags(self, _: str) -> dict[str, str]:
        return dict(self.tags)

    def set_node_tags(self, _: str, tags: dict[str, str]) -> None:
        self.tags |= tags

    def is_terminated(self, _: str) -> bool:
        return False

    # The command runner.
    def run(self, text: str, *, run_env: str = "auto", **more: Any) -> None:
        if text == "uptime" or text.startswith("mkdir -p"):
            return
        env = more.get("environment_variables") or {}
        while text.startswith("export "):
            assignment, _, text = text.removeprefix("export ").partition("; ")
            name, _, value = assignment.partition("=")
            env[name] = value
        self.notes.append(("run", text, run_env == "host", env))

    def run_rsync_up(self, source: str, target: str, options: dict[str, Any]) -> None:
        self.notes.append(("copy", source.rstrip("/"), target.rstrip("/")))

    def run_init(self, *, sync_run_yet: bool, **_: Any) -> bool:
        if sync_run_yet and self.docker:
            self.notes.append(("start the container",))
        return self.container_waits


def ours(setup: NodeSetup, known: NodeHashes, restarts: Restarts, waits: bool) -> list[Note]:
    """What our steps do, in the words of the notes, but for what Ray has no steps for."""
    work = decide(
        known,
        setup.hashes,
        is_head=setup.is_head,
        container_waits=waits and known.runtime == setup.hashes.runtime,
        restarts=restarts,
    )
    assert work.change is not Change.RELAUNCH
    notes: list[Note] = []
    for step in setup.steps(work):
        match step.action:
            case RunCommand() if step.name in ("end the old Ray", "watch for interruption"):
                continue
            case RunCommand(text, env, on_host):
                notes.append(("run", text, on_host, env))
            case CopyFiles(source, target, optional):
                if not optional or Path(source).exists():
                    notes.append(("copy", source, target))
            case StartContainer():
                notes.append(("start the container",))
    return notes


def rays(setup: NodeSetup, spec: ClusterSpec, node_type: str, machine: Machine, **more: Any):
    """What Ray's updater does with what Ray hands to it."""
    kind = spec.node_types[node_type]
    resources, labels = dict(kind.resources.amounts()), dict(kind.labels)
    updater.NodeUpdater(
        node_id=setup.instance_id,
        provider_config={"type": "aws"},
        provider=machine,
        auth_config={"ssh_user": "ubuntu"},
        cluster_name="c",
        file_mounts=dict(spec.files.file_mounts),
        runtime_hash=setup.hashes.runtime,
        file_mounts_contents_hash=setup.hashes.contents,
        is_head_node=setup.is_head,
        node_resources=resources,
        node_labels=labels,
        docker_config={"container_name": "ray"} if setup.docker else None,
        **more,
    ).do_update()
    return [in_our_words(note, setup.docker is not None) for note in machine.notes if note]


def in_our_words(note: Note, docker: bool) -> Note:
    """Without the setting of usage statistics, and with overrides as the JSON that they become."""
    if note[0] != "run":
        return note
    env = {name: value for name, value in note[3].items() if name != "RAY_USAGE_STATS_ENABLED"}
    texts = {n: str(v).replace("'", '"').replace(" ", "") for n, v in env.items()}
    return (*note[:3], texts)


def spec_in(directory: Path, docker: bool) -> ClusterSpec:
    for name in ("one", "synced"):
        (directory / name).write_text(name)
    text = FILE.replace("DIRECTORY", str(directory))
    return parse_cluster(text + "docker: {image: i, container_name: ray}\n" * docker, "c.yaml")


SAME_DIRECTORY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@SAME_DIRECTORY
@given(
    docker=st.booleans(),
    runtime=st.sampled_from(["", "same", "old"]),
    contents=st.sampled_from(["same", "old"]),
    restarts=st.sampled_from(
        [Restarts(), Restarts(no_restart=True), Restarts(restart_only=True)],
    ),
    waits=st.booleans(),
)
def test_a_head_gets_what_ray_up_does(tmp_path: Path, docker, runtime, contents, restarts, waits):
    """But on a head that never came up, or whose container is gone: there we start Ray also with
    no_restart, and run set-up commands also with restart_only, since nothing works without."""
    spec = spec_in(tmp_path, docker)
    waits = waits and docker
    if (waits or not runtime) and restarts != Restarts():
        return
    setup = head_setup(spec, "i-0")
    known = NodeHashes(
        setup.hashes.launch,
        setup.hashes.runtime if runtime == "same" else runtime,
        setup.hashes.contents if contents == "same" else contents,
    )
    tags = {"ray-runtime-config": known.runtime, "ray-file-mounts-contents": known.contents}
    started = [] if restarts.no_restart and runtime else list(spec.head_start_ray_commands)
    env = {
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": "i-0",
        "RAY_NODE_TYPE_NAME": "head",
    }
    theirs = rays(
        setup,
        spec,
        "head",
        Machine(tags, docker, waits),
        initialization_commands=list(setup.initialization_commands),
        setup_commands=list(setup.setup_commands),
        ray_start_commands=util.with_envs(started, env),
        restart_only=restarts.restart_only,
    )
    assert ours(setup, known, restarts, waits) == theirs


@pytest.mark.parametrize("docker", [True, False])
def test_a_new_worker_gets_what_rays_installer_does(tmp_path: Path, docker: bool):
    spec = spec_in(tmp_path, docker)
    setup = worker_setup(spec, spec.node_types["gpu"], "i-1", "10.0.0.1")
    env = {
        "RAY_HEAD_IP": "10.0.0.1",
        "RAY_CLOUD_INSTANCE_ID": "i-1",
        "RAY_NODE_TYPE_NAME": "gpu",
        "RAY_CLOUD_INSTANCE_TYPE_NAME": "g5.xlarge",
    }
    theirs = rays(
        setup,
        spec,
        "gpu",
        Machine({}, docker, docker),
        initialization_commands=util.with_head_node_ip(
            list(setup.initialization_commands), "10.0.0.1"
        ),
        setup_commands=util.with_head_node_ip(list(setup.setup_commands), "10.0.0.1"),
        ray_start_commands=util.with_envs(list(setup.start_commands), env),
        cluster_synced_files=list(spec.files.cluster_synced_files),
    )
    assert ours(setup, NodeHashes(), Restarts(), docker) == theirs
