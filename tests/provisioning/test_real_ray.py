"""A head and a worker set up by the updater on this machine, with real Ray."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from raytui.backends.local_runner import LocalRunner
from raytui.backends.local_start import free_port
from raytui.config.cluster import parse_cluster
from raytui.provisioning.deciding import Change
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import NodeSetup, head_setup, worker_setup
from raytui.provisioning.node_update import NodeUpdate, Updated, update_node
from raytui.ray.gcs import GcsRay
from tests.support.needs import missing
from tests.support.processes import using, with_setting
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.slow]

UNKNOWN = NodeHashes()

FILE = """
cluster_name: updated
provider: {{type: gcp}}
auth: {{ssh_user: me}}
head_node_type: head
available_node_types:
  head: {{node_config: {{}}, resources: {{CPU: 3, ours: 7}}}}
  small: {{node_config: {{}}, resources: {{CPU: 1}}, labels: {{zone: a}}, max_workers: 1}}
head_start_ray_commands:
  - >-
    ulimit -n 4096; {ray} start --head --node-ip-address=127.0.0.1 --port={port}
    --autoscaling-config=~/ray_bootstrap_config.yaml --include-dashboard=false
    --disable-usage-stats {small}
worker_start_ray_commands:
  - {ray} start --node-ip-address=127.0.0.1 --address=$RAY_HEAD_IP:{port} {small}
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A short path, for Ray's sockets. Whatever works below it at the end is ended."""
    missing("ray")
    path = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
    mark = str(path)
    os.environ["RAYTUI_TEST_MARK"] = mark
    yield path
    del os.environ["RAYTUI_TEST_MARK"]
    ours = {*with_setting("RAYTUI_TEST_MARK", mark), *using(path)} - {psutil.Process()}
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=10)
    shutil.rmtree(path, ignore_errors=True)


def update(setup: NodeSetup, directory: Path, known: NodeHashes = UNKNOWN) -> Updated:
    job = NodeUpdate(setup, LocalRunner(), "updated", known=known)
    return update_node(job, directory / "setup", lambda step: None)


def test_ray_knows_who_its_nodes_are(directory: Path):
    port = free_port()
    small = f"--temp-dir={directory}/ray --object-store-memory=80000000"
    text = FILE.format(ray=Path(sys.executable).parent / "ray", port=port, small=small)
    spec = parse_cluster(text, "c.yaml")
    head = update(head_setup(spec, "i-head"), directory)
    assert not head.error, head.detail
    worker = worker_setup(spec, spec.node_types["small"], "i-worker", "127.0.0.1")
    joined = update(worker, directory)
    assert not joined.error, joined.detail
    again = update(worker, directory, joined.hashes)
    assert again.change is Change.NOTHING
    ray = GcsRay(f"127.0.0.1:{port}")
    try:
        ray.wait_ready(30)
        eventually(lambda: len(ray.observe().nodes) == 2, within_s=30)
        nodes = {node.instance_id: node for node in ray.observe().nodes}
    finally:
        ray.close()
    assert {name: node.node_type for name, node in nodes.items()} == {
        "i-head": "head",
        "i-worker": "small",
    }
    assert nodes["i-head"].total.amount("CPU") == 3
    assert nodes["i-head"].total.amount("ours") == 7
    assert nodes["i-worker"].total.amount("CPU") == 1
    assert nodes["i-worker"].labels["zone"] == "a"
    monitors = [p for p in using(directory) if "/monitor.py" in " ".join(p.cmdline())]
    assert monitors == [], "Ray's own autoscaler is off"
