"""What the head is given to set up workers."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from raytui.config.bootstrap_files import CONFIG, KEY, KNOWN_HOSTS
from raytui.config.cluster import parse_cluster
from raytui.model.spec import ClusterSpec
from raytui.provisioning.bootstrap import bootstrap_config, bootstrap_files

FILE = """
cluster_name: c
provider: {type: gcp, region: us, project_id: p}
auth: {ssh_user: u, ssh_private_key: KEYFILE, ssh_proxy_command: nc, ssh_proxy_use_node_id: true}
head_node_type: head
available_node_types:
  head: {node_config: {machineType: n1}, resources: {CPU: 2}}
  gpu: {node_config: {}, resources: {CPU: 4}, max_workers: 2, worker_setup_commands: [c]}
file_mounts: {~/code: /home/me/code}
cluster_synced_files: [~/data]
setup_commands: [a, "echo 'ß 😀'"]
worker_setup_commands: [b]
docker: {image: r/ray, container_name: ray, worker_run_options: [--gpus all]}
metadata: {raytui: {budget: {max_per_hour: 3}}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> ClusterSpec:
    (tmp_path / "key").write_text("the key")
    (tmp_path / "key").chmod(0o644)
    return parse_cluster(FILE.replace("KEYFILE", str(tmp_path / "key")), "c.yaml")


def test_the_head_reads_the_same_cluster(spec: ClusterSpec):
    with bootstrap_files(spec) as files:
        there = parse_cluster(Path(files[CONFIG]).read_bytes(), "there")
    expected = msgspec.structs.replace(
        spec,
        auth=msgspec.structs.replace(
            spec.auth, ssh_private_key=KEY, ssh_proxy_command="", ssh_proxy_use_node_id=False
        ),
        files=msgspec.structs.replace(spec.files, file_mounts={"~/code": "~/code"}),
        metadata={"raytui": {"budget": {"max_per_hour": 3}, "on_head": True}},
        on_head=True,
        source="there",
        written=there.written,
    )
    assert there == expected


def test_the_file_is_the_one_that_ray_makes(spec: ClusterSpec):
    commands = pytest.importorskip("ray.autoscaler._private.commands")
    provider = SimpleNamespace(prepare_for_head_node=lambda config: config)
    written = json.loads(json.dumps(spec.written))
    _, file = commands._set_up_config_for_head_node(written, provider, no_restart=True)
    with file:
        theirs = json.loads(Path(file.name).read_text())
    ours = bootstrap_config(spec, no_restart=True)
    ours["metadata"]["raytui"].pop("on_head")
    assert ours == theirs | {"setup_commands": []}


def test_rays_own_autoscaler_takes_it():
    util = pytest.importorskip("ray.autoscaler._private.util")
    least = "{cluster_name: c, provider: {type: local, head_ip: h, worker_ips: [w]}, auth: {}}"
    util.validate_config(bootstrap_config(parse_cluster(least, "c.yaml")))


def test_the_host_keys_of_workers_go_along(spec: ClusterSpec):
    with bootstrap_files(spec, known_hosts="w ssh-ed25519 AAAA\n") as files:
        assert Path(files[KNOWN_HOSTS]).read_text() == "w ssh-ed25519 AAAA\n"
        assert stat.S_IMODE(Path(files[KNOWN_HOSTS]).stat().st_mode) == 0o600


def test_nobody_else_can_read_the_files_and_none_stays(spec: ClusterSpec):
    with bootstrap_files(spec) as files:
        assert set(files) == {CONFIG, KEY}
        assert Path(files[KEY]).read_text() == "the key"
        assert {stat.S_IMODE(Path(f).stat().st_mode) for f in files.values()} == {0o600}
        assert stat.S_IMODE(Path(files[KEY]).parent.stat().st_mode) == 0o700
    assert not Path(files[KEY]).parent.exists()


def test_without_a_key_of_its_own_there_is_only_the_config(spec: ClusterSpec):
    auth = msgspec.structs.replace(spec.auth, ssh_private_key="")
    with bootstrap_files(msgspec.structs.replace(spec, auth=auth)) as files:
        assert set(files) == {CONFIG}
