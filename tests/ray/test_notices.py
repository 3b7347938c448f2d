"""What GCS knows of machines that go reaches us with its nodes."""

import time

import pytest

from raytui.model.state import NodeStatus, Notice, NoticeKind
from raytui.ray.tell_notice import tell
from tests.support.local_cluster import LocalCluster

pytestmark = pytest.mark.ray


def test_a_node_that_drains_is_told_of_with_its_deadline(cluster: LocalCluster) -> None:
    cluster.start("drained")
    node_id = cluster.node("drained-0").node_id
    with cluster.driver(HOLD.format(node_id=node_id)) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "there\n"
        deadline = round(time.time() + 100)
        cluster.ray.drain(node_id, idle_only=False, message="by hand", deadline=deadline)
        view = cluster.until(lambda view: view.notices, within_s=10)
        assert view.notices == (Notice("drained-0", NoticeKind.DRAINED, deadline=deadline),)
        assert cluster.node("drained-0").status is NodeStatus.DRAINING
    cluster.until(lambda view: "drained-0" not in {n.instance_id for n in view.nodes})
    cluster.provider.terminate(["drained-0"])


def test_an_idle_node_leaves_its_notice_when_it_goes(cluster: LocalCluster) -> None:
    cluster.start("noticed")
    deadline = round(time.time() + 100)
    notice = {"kind": "interruption", "by": "AWS", "at": deadline - 120, "deadline": deadline}
    tell(cluster.ray.gcs_address, "noticed-0", notice)
    expected = Notice("noticed-0", NoticeKind.INTERRUPTION, "AWS", deadline - 120, deadline)
    view = cluster.until(lambda view: "noticed-0" not in {n.instance_id for n in view.nodes})
    view = cluster.until(lambda view: expected in view.notices, within_s=10)
    assert view.notices == (expected,)
    cluster.provider.terminate(["noticed-0"])


HOLD = """
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
@ray.remote(num_cpus=1)
class Actor:
    def here(self):
        return "there"
there = NodeAffinitySchedulingStrategy({node_id!r}, soft=False)
actor = Actor.options(scheduling_strategy=there).remote()
print(ray.get(actor.here.remote()), flush=True)
time.sleep(600)
"""
