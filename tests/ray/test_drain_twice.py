"""A drain that Ray is told of twice, as after a restart of the autoscaler, is one drain."""

import time
from pathlib import Path

import pytest

from raytui.model.state import NodeStatus
from tests.support.local_cluster import LocalCluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.ray

WORK = """
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
@ray.remote(num_cpus=1)
def work(path):
    open(path, "w").write("started")
    while open(path).read() != "go on":
        time.sleep(0.05)
    return "done"
there = NodeAffinitySchedulingStrategy({node_id!r}, soft=False)
print(ray.get(work.options(scheduling_strategy=there).remote({path!r})), flush=True)
"""


def test_a_busy_node_told_twice_finishes_its_work_and_leaves(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    (leaving,) = cluster.start("twice")
    eventually(lambda: "Ray runtime started" in Path(leaving.log_path).read_text(), within_s=30)
    cluster.until(lambda view: "twice-0" in {node.instance_id for node in view.nodes})
    node_id = cluster.node("twice-0").node_id
    flag = tmp_path / "flag"
    with cluster.driver(WORK.format(node_id=node_id, path=str(flag))) as driver:
        assert driver.stdout is not None
        eventually(lambda: flag.exists() and flag.read_text() == "started", within_s=30)
        deadline = time.time() + 60
        for _ in range(2):
            answer = cluster.ray.drain(node_id, idle_only=False, message="t", deadline=deadline)
            assert answer.accepted, answer.message
            cluster.until(lambda _: cluster.node("twice-0").status is NodeStatus.DRAINING)
        flag.write_text("go on")
        assert driver.stdout.readline() == "done\n"
    cluster.until(lambda view: node_id not in {node.node_id for node in view.nodes})
    cluster.provider.terminate(["twice-0"])
