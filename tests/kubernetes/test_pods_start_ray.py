"""What the pods of a RayCluster run is real: Ray registers what was planned with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from raytui.backends import local_start
from raytui.backends.kubernetes.manifest import spec_of
from raytui.backends.kubernetes.objects import head_pod, worker_pod, workers_of
from raytui.model.state import Node
from raytui.ray.base import RayError
from raytui.ray.gcs import GcsRay
from tests.kubernetes.clusters import group, manifest, template
from tests.support.waiting import eventually

pytestmark = [pytest.mark.ray, pytest.mark.slow]

Json = dict[str, Any]


@contextmanager
def _running(pod: Json, log: Path) -> Iterator[None]:
    """The command of a pod's Ray container here, with the variables that its kubelet would set."""
    container, meta = pod["spec"]["containers"][0], pod["metadata"]
    fields = {f"metadata.labels['{name}']": value for name, value in meta["labels"].items()}
    fields |= {"metadata.name": meta["name"], "metadata.namespace": meta["namespace"]}
    env = {
        one["name"]: one["value"]
        if "value" in one
        else fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
        for one in container["env"]
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*container["command"], *container["args"]],
            env={"PATH": path, "HOME": str(log.parent), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _params(folder: Path) -> dict[str, str]:
    """What lets several pods share this machine."""
    ports = ("dashboard-agent-listen-port", "metrics-export-port", "runtime-env-agent-port")
    return {
        "node-ip-address": "$POD_IP",
        "temp-dir": str(folder),
        "object-store-memory": str(128 * 1024**2),
        "disable-usage-stats": "true",
        **dict.fromkeys(ports, "0"),
    }


def test_ray_registers_what_was_planned_with(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("r")
    gcs, dashboard = local_start.free_port(), local_start.free_port()
    client = local_start.free_port(avoid=(gcs, dashboard))
    own = template()
    own["spec"]["containers"][0] |= {
        "env": [{"name": "POD_IP", "value": "127.0.0.1"}],
        "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}},
    }
    asked = manifest(
        group(
            "gpu",
            template=own,
            labels={"zone": "a", "tier": "b"},
            resources={"CPU": "3", "GPU": "2", "memory": "2Gi", "my rack": "4"},
            rayStartParams={**_params(folder), "address": f"127.0.0.1:{gcs}"},
        ),
        headGroupSpec={
            "template": own,
            "rayStartParams": {
                **_params(folder),
                "port": str(gcs),
                "dashboard-port": str(dashboard),
                "ray-client-server-port": str(client),
                "resources": '"{\\"head only\\": 2}"',
            },
        },
    )
    asked["metadata"] |= {"namespace": "ml", "uid": "1"}
    worker = workers_of(asked, asked["spec"]["workerGroupSpecs"][0], "r1", 1)[0]
    pods = [head_pod(asked), worker_pod(asked, "gpu", worker)]
    ray = GcsRay(f"127.0.0.1:{gcs}")

    def nodes() -> list[Node]:
        try:
            found = ray.observe().nodes
        except RayError:
            return []
        return list(found) if len(found) == len(pods) else []

    with ExitStack() as running:
        for pod in pods:
            running.enter_context(_running(pod, folder / f"{pod['metadata']['name']}.log"))
            if pod is pods[0]:
                ray.wait_ready(60)
        found = eventually(nodes, what="both have joined")

    planned = spec_of(asked).node_types
    assert {one.instance_id for one in found} == {pod["metadata"]["name"] for pod in pods}
    for node in found:
        kind = planned[node.node_type]
        told = node.total.amounts()
        assert {name: told.get(name) for name in kind.resources.amounts()} == dict(
            kind.resources.amounts()
        )
        assert kind.labels.items() <= node.labels.items()
