"""A machine taken back (seconds after a notice, not minutes), on real Ray and by all its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.model.lifecycle import InstanceStatus
from raytui.model.reason import Why
from raytui.model.snapshot import ClusterInfo, Level, Snapshot
from raytui.model.state import NodeStatus
from tests.aws.watching import watch
from tests.support.instance_metadata import LOOPBACK, Metadata, metadata_service
from tests.support.local_cluster import READY_S, LocalCluster, eventually, running

pytestmark = [pytest.mark.ray, pytest.mark.slow]

NOTICE_S = 30
WORK = """
@ray.remote(num_cpus=2, max_retries=-1)
def work(path):
    with open(path + ".starts", "a") as starts:
        print(ray.get_runtime_context().get_node_id(), file=starts)
    while not os.path.exists(path):
        time.sleep(0.05)
    return "done"
import os
print(ray.get(work.remote({path!r})), flush=True)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with running("taken-back", tmp_path / "state") as started:
        yield started


class Autoscaler:
    """A reconciler that ticks whenever the test waits."""

    def __init__(self, cluster: LocalCluster, ledger: Path) -> None:
        info = ClusterInfo(cluster.spec.cluster_name, "test")
        self.ledger = Ledger(ledger)
        self.reconciler = Reconciler(
            cluster.spec, cluster.provider, cluster.ray, self.ledger, info=info
        )

    def until(self, seen: Callable[[Snapshot], bool], within_s: float = READY_S) -> Snapshot:
        deadline = time.monotonic() + within_s
        while True:
            if self.reconciler.due():
                snapshot = self.reconciler.tick()
                if seen(snapshot):
                    return snapshot
            assert time.monotonic() < deadline, [e.text for e in self.ledger.events(20)]
            time.sleep(0.05)


def why_dead(cluster: LocalCluster, node_id: str) -> str:
    """Ray's own word for why a node has died."""
    import ray
    from ray._raylet import GcsClient

    known = GcsClient(address=cluster.ray.gcs_address).get_all_node_info()
    death = known[ray.NodeID.from_hex(node_id)].death_info
    reasons = death.DESCRIPTOR.enum_types_by_name["Reason"].values_by_number
    return str(reasons[death.reason].name)


def workers(snapshot: Snapshot, *statuses: InstanceStatus) -> list[str]:
    rows = [row for row in snapshot.rows if not row.member.is_head]
    return [row.id for row in rows if row.member.status in statuses]


def test_its_work_moves_to_a_node_that_was_there_before_it_was_gone(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    autoscaler, flag = Autoscaler(cluster, tmp_path / "ledger.db"), tmp_path / "flag"
    starts = tmp_path / "flag.starts"
    with metadata_service() as service, cluster.driver(WORK.format(path=str(flag))) as driver:
        service.instances[LOOPBACK] = Metadata(spot=True)
        autoscaler.until(lambda _: starts.exists())
        (first,) = workers(autoscaler.until(lambda _: True), InstanceStatus.RUNNING)
        assert "watching" in watch(service.url, first, tmp_path)

        deadline = round(time.time() + NOTICE_S)
        service.instances[LOOPBACK].taken_back = ("terminate", deadline)
        autoscaler.until(lambda s: workers(s, InstanceStatus.DRAINING) == [first])
        cluster.until(lambda _: cluster.node(first).status is NodeStatus.DRAINING, within_s=10)
        node_id = cluster.node(first).node_id
        decision = autoscaler.ledger.decisions(None, 1)[0].plan
        assert [r.reason.why for r in decision.removals] == [Why.TAKEN_BACK]
        assert [launch.reason.why for launch in decision.launches] == [Why.REPLACES]

        snapshot = autoscaler.until(lambda s: bool(workers(s, InstanceStatus.RUNNING)))
        assert time.time() < deadline
        assert workers(snapshot, InstanceStatus.DRAINING) == [first]
        (second,) = workers(snapshot, InstanceStatus.RUNNING)

        autoscaler.until(lambda s: s.row(first) is None)
        assert time.time() >= deadline
        assert why_dead(cluster, node_id) == "AUTOSCALER_DRAIN_PREEMPTED"
        eventually(lambda: len(starts.read_text().splitlines()) == 2)
        assert starts.read_text().splitlines()[1] == cluster.node(second).node_id
        flag.touch()
        assert driver.stdout is not None
        assert "done\n" in iter(driver.stdout.readline, "")
    assert [e for e in autoscaler.ledger.events(1000) if e.level is Level.ERROR] == []
    assert len(autoscaler.ledger.open_instances()) == 2
