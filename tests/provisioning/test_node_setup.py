"""What a node's set-up takes, read from the cluster file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from raytui.config.cluster import parse_cluster
from raytui.model.spec import ClusterSpec
from raytui.provisioning.deciding import Change, Work
from raytui.provisioning.node_setup import (
    CopyFiles,
    NodeSetup,
    RunCommand,
    StartContainer,
    head_setup,
    worker_setup,
)

FILE = """
cluster_name: c
provider: {{type: aws, region: us-west-2}}
auth: {{ssh_user: ubuntu}}
head_node_type: head
available_node_types:
  head: {{node_config: {{InstanceType: m5.large}}, resources: {{CPU: 2}}}}
  gpu:
    node_config: {{InstanceType: g5.xlarge}}
    resources: {{CPU: 4, GPU: 1}}
    max_workers: 2
    worker_setup_commands: [pip install cuda]
file_mounts: {{~/code: {code}}}
cluster_synced_files: [~/data]
rsync_exclude: ["*.pyc"]
initialization_commands: [mkdir -p /x]
setup_commands: [pip install a, pip install b]
head_setup_commands: [pip install boto3]
{more}
"""
ALL = Work(Change.SET_UP, setup_commands=True, start_ray=True)


@pytest.fixture
def spec(tmp_path: Path) -> ClusterSpec:
    return read(tmp_path)


def read(directory: Path, more: str = "") -> ClusterSpec:
    (directory / "code").mkdir(exist_ok=True)
    (directory / "code" / "main.py").write_text("print()")
    return parse_cluster(FILE.format(code=directory / "code", more=more), "c.yaml")


def names(setup: NodeSetup, work: Work = ALL) -> list[str]:
    return [step.name for step in setup.steps(work)]


def test_the_head_is_set_up_in_rays_order(spec: ClusterSpec):
    setup = head_setup(spec, "i-0", bootstrap={"~/ray_bootstrap_key.pem": "/k"})
    assert names(setup) == [
        "copy ~/code",
        "copy ~/ray_bootstrap_key.pem",
        "initialize 1/1",
        "set up 1/3",
        "set up 2/3",
        "set up 3/3",
        "end the old Ray",
        "start Ray 1/2",
        "start Ray 2/2",
    ]
    last = setup.steps(ALL)[-1].action
    assert isinstance(last, RunCommand)
    assert "--no-monitor" in last.text
    assert last.env["RAY_CLOUD_INSTANCE_ID"] == "i-0"
    assert last.env["RAY_OVERRIDE_RESOURCES"] == '{"CPU":2}'
    assert setup.notices


def test_rays_own_autoscaler_is_left_to_start(spec: ClusterSpec):
    setup = head_setup(spec, "i-0", rays_autoscaler=True)
    assert setup.start_commands == spec.head_start_ray_commands
    assert setup.notices == ()


def test_a_worker_has_its_types_commands_and_knows_its_head(spec: ClusterSpec):
    setup = worker_setup(spec, spec.node_types["gpu"], "i-1", "10.0.0.1")
    assert names(setup) == [
        "copy ~/code",
        "copy ~/data",
        "initialize 1/1",
        "set up 1/1",
        "end the old Ray",
        "start Ray 1/2",
        "start Ray 2/2",
        "watch for interruption",
    ]
    actions = [step.action for step in setup.steps(ALL)]
    assert actions[1] == CopyFiles("~/data", "~/data", optional=True)
    assert actions[3] == RunCommand("pip install cuda", {"RAY_HEAD_IP": "10.0.0.1"})
    assert isinstance(actions[6], RunCommand)
    assert actions[6].env["RAY_CLOUD_INSTANCE_TYPE_NAME"] == "g5.xlarge"


def test_other_files_are_copied_and_nothing_else(spec: ClusterSpec):
    setup = worker_setup(spec, spec.node_types["gpu"], "i-1", "10.0.0.1")
    assert names(setup, Work(Change.RESYNC)) == ["copy ~/code", "copy ~/data"]
    assert names(setup, Work(Change.NOTHING)) == []


def test_in_docker_mode_the_container_starts_between_host_and_set_up(tmp_path: Path):
    spec = read(tmp_path, "docker: {image: r/ray, container_name: ray}")
    setup = worker_setup(spec, spec.node_types["gpu"], "i-1", "10.0.0.1")
    steps = setup.steps(ALL)
    assert isinstance(steps[3].action, StartContainer)
    assert [s.lasts for s in steps[:4]] == [True, False, True, False]
    assert isinstance(steps[2].action, RunCommand)
    assert steps[2].action.on_host


def test_a_workers_hashes_are_rays(spec: ClusterSpec, tmp_path: Path):
    util = pytest.importorskip("ray.autoscaler._private.util")
    util._hash_cache.clear()
    setup = worker_setup(spec, spec.node_types["gpu"], "i-1", "10.0.0.1")
    commands = [["pip install a", "pip install b"], list(spec.worker_start_ray_commands)]
    mounts = {"~/code": str(tmp_path / "code")}
    runtime, contents = util.hash_runtime_conf(mounts, ["~/data"], commands)
    launch = util.hash_launch_conf({"InstanceType": "g5.xlarge"}, {"ssh_user": "ubuntu"})
    assert (setup.hashes.launch, setup.hashes.runtime) == (launch, runtime)
    assert setup.hashes.contents == contents


def test_steps_before_a_changed_command_keep_their_keys(spec: ClusterSpec):
    setup = head_setup(spec, "i-0")
    changed = msgspec.structs.replace(setup, setup_commands=("pip install a", "X", "Y"))
    before, after = (s.keys(s.steps(ALL)) for s in (setup, changed))
    assert [old == new for old, new in zip(before, after, strict=True)] == [
        True,
        True,
        True,
        *[False] * 5,
    ]


def test_where_a_file_comes_from_does_not_count_but_what_is_in_it_does(spec: ClusterSpec):
    setup = head_setup(spec, "i-0")
    moved = msgspec.structs.replace(setup, file_mounts={"~/code": "/elsewhere"})
    assert moved.keys(moved.steps(ALL)) == setup.keys(setup.steps(ALL))
    hashes = msgspec.structs.replace(setup.hashes, contents="other")
    other = msgspec.structs.replace(setup, hashes=hashes)
    assert not set(other.keys(other.steps(ALL))) & set(setup.keys(setup.steps(ALL)))


def test_the_head_gets_raytui_before_ray_starts_and_each_time(spec: ClusterSpec):
    setup = head_setup(spec, "i-0", own_program=True, wheels="/here/wheels")
    assert names(setup)[4:] == [
        "set up 3/3",
        "copy raytui",
        "install raytui",
        "end the old Ray",
        "start Ray 1/2",
        "start Ray 2/2",
    ]
    copy, install = setup.steps(Work(Change.NOTHING))
    assert copy.action == CopyFiles("/here/wheels", "~/.cache/raytui/wheels")
    assert isinstance(install.action, RunCommand)
    assert "--find-links ~/.cache/raytui/wheels" in install.action.text
    assert not copy.lasts
    assert not install.lasts
