"""A real Ray cluster on this machine for tests, and drivers that put load on it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raytui.backends.base import LaunchRequest
from raytui.backends.local import LocalProvider
from raytui.config.locations import ClusterPaths
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec, NodeType, Offering, ProviderSpec
from raytui.model.state import Instance, Node
from raytui.ray.base import RayError, RayView
from raytui.ray.gcs import GcsRay
from tests.support import processes
from tests.support.waiting import eventually

READY_S = 60.0
"""Two cores shared with other tests: a node that takes 4 s alone may take long."""


def spec(name: str) -> ClusterSpec:
    """A head without CPUs, a small CPU type with a label, and a GPU type."""
    types = (
        NodeType("head"),
        NodeType("cpu", Resources.of(CPU=2, memory=2**30), {"disk": "ssd"}, max_workers=8),
        NodeType("gpu", Resources.of(CPU=1, GPU=1, widget=3), max_workers=2),
    )
    by_name = {node_type.name: node_type for node_type in types}
    return ClusterSpec(name, ProviderSpec("fake_multinode"), by_name, "head", max_workers=10)


class LocalCluster:
    """A head that is up, its provider and its GCS."""

    def __init__(self, name: str) -> None:
        self.spec = spec(name)
        self.paths = ClusterPaths(name).make()
        self.provider = LocalProvider(self.spec, self.paths)
        started = time.monotonic()
        self.provider.launch(LaunchRequest("head", "head", 1, is_head=True))
        self.ray = GcsRay(self.provider.head_address())
        try:
            self.ray.wait_ready(READY_S)
        except RayError as error:
            dead = self.dead()
            self.down()
            raise AssertionError(f"{error}; {dead}") from error
        self.head_ready_s = time.monotonic() - started

    def request(self, request_id: str, node_type: str = "cpu", count: int = 1) -> LaunchRequest:
        offering = Offering(instance_type="laptop", price_per_hour=0.5)
        return LaunchRequest(
            request_id, node_type, count, offering, head_address=self.ray.gcs_address
        )

    def start(self, request_id: str, node_type: str = "cpu", count: int = 1) -> list[Instance]:
        """Launch workers and wait until Ray has registered them."""
        instances = self.provider.launch(self.request(request_id, node_type, count))
        wanted = {instance.instance_id for instance in instances}
        self.until(
            lambda view: wanted <= {n.instance_id for n in view.nodes} or wanted & set(self.dead())
        )
        assert not wanted & set(self.dead()), self.dead()
        return instances

    def dead(self) -> dict[str, str]:
        """What became of the nodes that died by themselves."""
        listed = self.provider.list_instances()
        return {i.instance_id: i.detail for i in listed if i.status is InstanceStatus.LOST}

    def until(self, seen: Callable[[RayView], Any], within_s: float = READY_S) -> RayView:
        """Observe until something is seen."""
        view = eventually(lambda: _when(self.ray.observe(), seen), within_s)
        assert isinstance(view, RayView)
        return view

    def node(self, instance_id: str) -> Node:
        return next(n for n in self.ray.observe().nodes if n.instance_id == instance_id)

    @contextmanager
    def driver(self, code: str) -> Iterator[subprocess.Popen[str]]:
        """A driver in a process of its own, which is ended on leaving."""
        start = f"import ray, time\nray.init({self.ray.gcs_address!r}, logging_level='ERROR')\n"
        process = subprocess.Popen(
            [sys.executable, "-c", start + code], stdout=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    def leftovers(self) -> list[str]:
        """What of this cluster still runs."""
        left = processes.of_cluster(self.provider.marker, self.paths.ray_temp)
        return [f"{process.pid} {process.name()}" for process in left]

    def down(self) -> None:
        self.ray.close()
        self.provider.terminate([i.instance_id for i in self.provider.list_instances()])


def _when(view: RayView, seen: Callable[[RayView], Any]) -> RayView | None:
    return view if seen(view) else None


@contextmanager
def running(name: str, state_home: Path) -> Iterator[LocalCluster]:
    """A cluster for the length of a `with`; its end checks that no process is left."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(state_home)
    try:
        cluster = LocalCluster(name)
    finally:
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before
    try:
        yield cluster
    finally:
        cluster.down()
    assert cluster.leftovers() == []
    shutil.rmtree(cluster.paths.ray_temp.parent)
