"""`raytui plan` for a cluster that runs: what is asked, and that nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from raytui.autoscaler.loop.ledger import Ledger
from raytui.cli.exit_codes import ExitCode
from raytui.cli.program import run
from raytui.config.launched import forget, remember
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Hold, Memory
from raytui.model.state import Instance
from tests.support.local_cluster import LocalCluster

pytestmark = pytest.mark.ray


@pytest.fixture
def launched(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The cluster's name, with the cluster noted as launched; its daemon does not run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(cluster.paths.dir.parent.parent))
    remember(cluster.paths, cluster.spec)
    yield cluster.spec.cluster_name
    forget(cluster.paths)
    for file in cluster.paths.dir.glob("ledger.db*"):
        file.unlink()


def test_the_live_cluster_is_planned_for_and_nothing_is_done(
    launched: str, cluster: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [instance.instance_id for instance in cluster.provider.list_instances()]
    assert run(["plan", launched, "--demand", '{"GPU": 1}*3', "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [(launch["node_type"], launch["count"]) for launch in found["launches"]] == [("gpu", 2)]
    assert [entry["reason"]["code"] for entry in found["unplaced"]] == ["max_workers"]
    there = {entry["instance_id"]: entry for entry in found["kept"]}
    assert set(there) == set(before)
    for node in cluster.ray.observe().nodes:
        assert there[node.instance_id]["node_id"] == node.node_id
    assert [instance.instance_id for instance in cluster.provider.list_instances()] == before
    assert not cluster.paths.ledger.exists()


def test_what_the_autoscaler_remembers_counts(
    launched: str, cluster: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    (worker,) = [i for i in cluster.provider.list_instances() if not i.is_head]
    ledger = Ledger(cluster.paths.ledger)
    ledger.put(worker, 1.0, "adopted")
    for name, status in (
        ("on-its-way", InstanceStatus.QUEUED),
        ("vanished", InstanceStatus.RUNNING),
        ("gone", InstanceStatus.TERMINATING),
    ):
        ledger.put(Instance(name, "cpu", status), 1.0, "for this test")
    ledger.save_memory(Memory(holds=(Hold(worker.instance_id, "alice"),)))
    ledger.close()
    assert run(["plan", launched, "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    codes = {entry["instance_id"]: entry["reason"]["code"] for entry in found["kept"]}
    codes = {name: code for name, code in codes.items() if code != "head"}
    assert codes == {worker.instance_id: "held", "on-its-way": "starting", "vanished": "lost"}
