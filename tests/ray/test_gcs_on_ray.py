"""What a real Ray cluster tells us, and what it makes of what we tell it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import FailureKind, LaunchFailure
from raytui.model.resources import Resources
from raytui.model.state import Demand, Instance, NodeStatus, Strategy
from raytui.ray.base import AutoscalerReport
from tests.support.local_cluster import LocalCluster
from tests.support.waiting import eventually

pytestmark = pytest.mark.ray


def ray_status(cluster: LocalCluster) -> str:
    command = [sys.executable, "-m", "ray.scripts.scripts", "status", "-v"]
    done = subprocess.run(
        [*command, f"--address={cluster.ray.gcs_address}"],
        capture_output=True,
        text=True,
        env={**os.environ, "RAY_BACKEND_LOG_LEVEL": "error"},
        check=True,
    )
    return done.stdout


def test_the_nodes_of_an_idle_cluster(cluster: LocalCluster) -> None:
    view = cluster.until(lambda view: all(n.status is NodeStatus.IDLE for n in view.nodes))
    head, worker = sorted(view.nodes, key=lambda node: not node.is_head)
    assert (head.instance_id, head.node_type, head.is_head) == ("head-0", "head", True)
    assert (worker.instance_id, worker.node_type, worker.is_head) == ("small-0", "cpu", False)
    assert worker.used == Resources()
    assert 0 < worker.idle_since <= time.time()
    assert (view.demands, view.gangs, view.constraints) == ((), (), ())
    assert view.session.startswith("session_")


def test_idle_since_stays_the_same_between_polls(cluster: LocalCluster) -> None:
    cluster.until(lambda view: all(n.idle_since for n in view.nodes))
    first = {n.node_id: n.idle_since for n in cluster.ray.observe().nodes}
    for _ in range(20):
        assert {n.node_id: n.idle_since for n in cluster.ray.observe().nodes} == first


LOAD = """
from ray.util.placement_group import placement_group
@ray.remote(num_cpus=1)
def work(): time.sleep(600)
@ray.remote(num_cpus=1, label_selector={"disk": "!ssd"},
            fallback_strategy=[{"label_selector": {"zone": "in(a,b)"}}])
def picky(): time.sleep(600)
@ray.remote(num_cpus=0)
class Counter:
    def ready(self): return True
counter = Counter.options(name="bob").remote()
ray.get(counter.ready.remote())
stored = ray.put(b"x" * 20_000_000)
tasks = [work.remote() for _ in range(40)] + [picky.remote() for _ in range(5)]
spread = placement_group([{"CPU": 4}] * 3, strategy="STRICT_SPREAD")
packed = placement_group([{"CPU": 3}, {"GPU": 1}], strategy="STRICT_PACK",
                         bundle_label_selector=[{"disk": "ssd"}, {"disk": "hdd"}])
print("loaded", flush=True)
time.sleep(600)
"""


def test_demand_of_every_kind_and_its_impact(cluster: LocalCluster) -> None:
    with cluster.driver(LOAD) as driver:
        assert driver.stdout is not None
        driver.stdout.readline()
        one = Resources.of(CPU=1)
        # Two of the forty run on the two CPUs.
        view = cluster.until(lambda view: Demand(one, 38) in view.demands and len(view.gangs) == 2)
        picky = ((("disk", "not-in", ("ssd",)),), (("zone", "in", ("a", "b")),))
        assert set(view.demands) == {Demand(one, 38), Demand(one, 5, picky)}

        spread, packed = sorted(view.gangs, key=lambda gang: len(gang.bundles), reverse=True)
        assert spread.strategy is Strategy.STRICT_SPREAD
        assert [bundle.resources for bundle in spread.bundles] == [Resources.of(CPU=4)] * 3
        assert packed.strategy is Strategy.STRICT_PACK
        assert [bundle.selector for bundle in packed.bundles] == [
            (("disk", "in", ("ssd",)),),
            (("disk", "in", ("hdd",)),),
        ]

        ids = {node.instance_id: node.node_id for node in view.nodes}
        worker, head = ids["small-0"], ids["head-0"]
        # Ray's state API learns of tasks about a second after they started.
        eventually(lambda: cluster.ray.impact([worker])[worker].tasks == ("work ×2",), 15)
        impact = cluster.ray.impact([worker, head])
        assert (impact[worker].instance_id, impact[worker].node_type) == ("small-0", "cpu")
        assert impact[head].tasks == ()
        actors = impact[worker].actors + impact[head].actors
        assert actors == ("Counter bob",)
        assert impact[head].object_bytes >= 20_000_000
        assert impact[worker].notes == ()

        node = cluster.node("small-0")
        assert node.status is NodeStatus.RUNNING
        assert node.idle_since == 0
        assert any("CPU" in words for words in node.activity)
        kept = cluster.ray.drain(worker, idle_only=True, message="test", deadline=time.time() + 5)
        assert not kept.accepted
        assert "no longer idle" in kept.message
    cluster.until(lambda view: not view.demands and not view.gangs)


def test_ray_status_shows_what_we_reported(cluster: LocalCluster) -> None:
    cluster.ray.take_over(cluster.spec)
    starting = (
        Instance("", "cpu", InstanceStatus.REQUESTED),
        Instance("", "cpu", InstanceStatus.QUEUED),
        Instance("gpu-9", "gpu", InstanceStatus.SETTING_UP, ip="10.1.2.3"),
    )
    words = "InsufficientInstanceCapacity: try another zone"
    failure = LaunchFailure("gpu", FailureKind.CAPACITY, words, time.time(), 0)
    seen = cluster.ray.observe().version
    cluster.ray.report(AutoscalerReport(seen, starting, (failure,)))

    text = ray_status(cluster)

    assert "cpu, 2 launching" in text
    assert "gpu-9: gpu, setting-up" in text
    assert f"gpu: LaunchFailed (latest_attempt: {time.strftime('%H:')}" in text
    assert words in text

    cluster.ray.report(AutoscalerReport(seen))
    assert "(no pending nodes)" in ray_status(cluster)


def test_request_resources_is_seen_replaced_and_cancelled(cluster: LocalCluster) -> None:
    cluster.ray.request_resources([(Resources.of(CPU=2), 3), (Resources.of(GPU=0.5), 1)])
    (constraint,) = cluster.ray.observe().constraints
    assert {(bundle.resources, count) for bundle, count in constraint.bundles} == {
        (Resources.of(CPU=2), 3),
        (Resources.of(GPU=0.5), 1),
    }
    cluster.ray.request_resources([(Resources.of(CPU=1), 7)])
    (constraint,) = cluster.ray.observe().constraints
    assert [count for _, count in constraint.bundles] == [7]
    cluster.ray.request_resources([])
    assert cluster.ray.observe().constraints == ()


def test_libraries_of_ray_see_the_limits_of_the_cluster(cluster: LocalCluster) -> None:
    cluster.ray.take_over(cluster.spec)
    code = (
        "from ray._private.state import state\n"
        "print(sorted(state.get_max_resources_from_cluster_config().items()))"
    )
    with cluster.driver(code) as driver:
        assert driver.stdout is not None
        printed = driver.stdout.readline()
    # Eight cpu nodes of 2 CPUs and two gpu nodes of 1 CPU and 1 GPU.
    assert printed.startswith("[('CPU', 18), ('GPU', 2)")


def test_an_idle_node_that_is_drained_leaves_and_is_seen_as_ended(cluster: LocalCluster) -> None:
    (leaving,) = cluster.start("leaves")
    # `ray start` is not through when GCS knows the node; drained so early it would wait in vain.
    eventually(lambda: "Ray runtime started" in Path(leaving.log_path).read_text(), within_s=30)
    cluster.until(lambda view: all(n.idle_since for n in view.nodes))
    node_id = cluster.node("leaves-0").node_id
    answer = cluster.ray.drain(node_id, idle_only=True, message="bye", deadline=time.time() + 10)
    assert answer.accepted
    cluster.until(lambda view: node_id not in {node.node_id for node in view.nodes})
    eventually(lambda: "leaves-0" in cluster.dead(), within_s=10)
    cluster.provider.terminate(["leaves-0"])


def test_the_dashboard_is_on_loopback_and_found(cluster: LocalCluster) -> None:
    url = cluster.ray.dashboard_url()
    assert url.startswith("http://127.0.0.1:")
    assert url == cluster.provider.dashboard_url()
