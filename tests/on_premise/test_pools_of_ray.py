"""A pool's nodes in a real cluster have what the file states, and what their host has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.hosts import Engine
from tests.support.on_premise import cluster_of_hosts

pytestmark = [pytest.mark.ssh, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(420)]

LOOK = "import ray, json; ray.init(logging_level='ERROR'); print(json.dumps(ray.nodes()))"


def test_a_pool_is_a_node_type_with_its_resources_and_labels(
    engine: Engine, tmp_path: Path
) -> None:
    with cluster_of_hosts(engine, tmp_path / "laptop", workers=2, min_workers=0) as cluster:
        host = cluster.workers[1].address
        pool = {
            "hosts": [host],
            "min_workers": 1,
            "resources": {"fast_disk": 3},
            "labels": {"rack": "r7"},
        }
        cluster.write(min_workers=0, metadata={"raytui": {"pools": {"disks": pool}}})
        up = cluster.raytui("up", str(cluster.file), "-y", timeout=300)
        assert up.returncode == 0, up.stderr

        seen = cluster.raytui("exec", cluster.name, f'python -c "{LOOK}"')
        assert seen.returncode == 0, seen.stderr
        nodes = {node["NodeManagerAddress"]: node for node in json.loads(seen.stdout)}
        assert set(nodes) == {cluster.head.address, host}
        assert nodes[host]["Resources"]["fast_disk"] == 3
        assert nodes[host]["Resources"]["CPU"] == os.cpu_count()
        assert nodes[host]["Labels"]["rack"] == "r7"

        status = json.loads(cluster.raytui("status", cluster.name, "--json").stdout)
        (disks,) = (kind for kind in status["node_types"] if kind["name"] == "disks")
        assert disks["running"] == 1

        down = cluster.raytui("down", cluster.name, "-y")
        assert down.returncode == 0, down.stderr
        assert [host.running() for host in cluster.hosts] == [[], [], []]
