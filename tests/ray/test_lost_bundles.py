"""What Ray tells of a placement group that lost one of its nodes, and what we make of that."""

import time

import pytest

from raytui.autoscaler.planning.planner import plan
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Memory, Request, Wait
from raytui.model.state import ClusterState, Instance, Member, SourceHealth, Strategy
from raytui.ray.base import RayView
from tests.support.local_cluster import LocalCluster

pytestmark = pytest.mark.ray

GROUP = """
from ray.util.placement_group import placement_group
group = placement_group([{"CPU": 1}] * 2, strategy="STRICT_SPREAD")
ray.get(group.ready())
print("placed", flush=True)
time.sleep(600)
"""


def test_only_the_lost_bundle_is_launched_for_and_not_beside_the_other(
    cluster: LocalCluster,
) -> None:
    cluster.start("mortal")
    staying = cluster.node("small-0").node_id
    with cluster.driver(GROUP) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "placed\n"
        cluster.provider.terminate(["mortal-0"])
        view = cluster.until(lambda view: view.gangs)
        (gang,) = view.gangs
        assert gang.strategy is Strategy.STRICT_SPREAD
        assert len(gang.bundles) == 1
        assert gang.placed_on == (staying,)

        # The other node has a CPU left, but a bundle of the group is there already.
        made = plan(_state(view), cluster.spec, Memory(), time.time())
        (launch,) = made.launches
        assert (launch.node_type, launch.count) == ("cpu", 1)
        (outcome,) = [o for o in made.outcomes if o.kind is Request.GANG]
        assert outcome.wait is Wait.LAUNCH
    cluster.until(lambda view: not view.gangs)


def _state(view: RayView) -> ClusterState:
    running = InstanceStatus.RUNNING
    members = [
        Member(Instance(n.instance_id, n.node_type, running, is_head=n.is_head), n)
        for n in view.nodes
    ]
    gcs = SourceHealth("gcs", ok=True)
    return ClusterState(time.time(), tuple(members), gangs=view.gangs, sources=(gcs,))
