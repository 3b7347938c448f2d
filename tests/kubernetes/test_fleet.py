"""Rows of a list of RayClusters: what is read of the resources and of their pods."""

from __future__ import annotations

from typing import Any

import pytest

from raytui.backends.kubernetes.fleet import cluster_kept, pod_kept, rows_of
from raytui.backends.kubernetes.marks import (
    CREATED_BY,
    DAEMON_OF,
    FINALIZER,
    KUBERAY,
    OPERATOR,
    SUMMARY,
)
from raytui.backends.kubernetes.summary import Summary, written
from raytui.model.fleet import FleetRow, FleetState, ScaledBy
from tests.kubernetes.clusters import group, manifest

Json = dict[str, Any]
PRICES = "node_types: {headgroup: {price_per_hour: 1}, cpu: {price_per_hour: 0.25}}"
SAID = Summary(demand=7, cost_per_hour=3.5, trouble="paused by ana")


def _cluster(name: str = "demo", namespace: str = "ml", **spec: Any) -> Json:
    found = manifest(group("cpu", replicas=2, maxReplicas=5), **spec)
    found["metadata"] = {
        "name": name,
        "namespace": namespace,
        "resourceVersion": "1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return found


def _pod(name: str, *, ready: bool = True, group: str = "cpu", by: str = KUBERAY) -> Json:
    kind = "head" if group == "headgroup" else "worker"
    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}} if ready else waits
    return {
        "metadata": {
            "name": name,
            "namespace": "ml",
            "labels": {
                "ray.io/cluster": "demo",
                "ray.io/node-type": kind,
                "ray.io/group": group,
                CREATED_BY: by,
            },
        },
        "spec": {"containers": [{"name": "ray"}]},
        "status": {
            "phase": "Running" if ready else "Pending",
            "containerStatuses": [{"name": "ray", "ready": ready, "state": state}],
        },
    }


def _daemon() -> Json:
    return {
        "metadata": {"name": "demo-raytui-x", "namespace": "ml", "labels": {DAEMON_OF: "demo"}},
        "spec": {"containers": [{"name": "raytui"}]},
        "status": {"phase": "Running"},
    }


def _row(cluster: Json, *kept: Json) -> FleetRow:
    (row,) = rows_of([cluster_kept(cluster)], map(pod_kept, kept))
    return row


def test_a_row_counts_pods_that_are_ready_against_those_that_are_to_be() -> None:
    row = _row(_cluster(), _pod("h", group="headgroup"), _pod("a"), _pod("b", ready=False))
    assert (row.running, row.desired, row.state) == (2, 3, FleetState.READY)
    assert row.total.amounts() == {"CPU": 2}
    assert row.created_at == 1767225600


def test_pods_of_a_cluster_of_the_same_name_elsewhere_are_not_counted() -> None:
    row = _row(_cluster(namespace="other"), _pod("a"))
    assert row.running == 0


def test_replicas_below_the_floor_count_as_kuberay_counts_them() -> None:
    cluster = _cluster()
    cluster["spec"]["workerGroupSpecs"] = [group("cpu", replicas=0, minReplicas=3, numOfHosts=2)]
    assert _row(cluster).desired == 7


def test_without_a_running_head_a_cluster_is_starting_and_says_what_the_head_waits_for() -> None:
    row = _row(_cluster(), _pod("a", ready=False), _pod("h", ready=False, group="headgroup"))
    assert row.state is FleetState.STARTING
    assert row.trouble == "head: ray: ImagePullBackOff: no such image"


def test_a_pod_of_a_group_that_cannot_start_is_told() -> None:
    row = _row(_cluster(), _pod("h", group="headgroup"), _pod("a", ready=False))
    assert row.trouble == "cpu: ray: ImagePullBackOff: no such image"


def test_a_pod_that_leaves_runs_no_more() -> None:
    leaving = _pod("a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert _row(_cluster(), leaving).running == 0


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"spec": {"suspend": True}}, FleetState.SUSPENDED),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, FleetState.LEAVING),
        ({"status": {"state": "failed"}}, FleetState.FAILED),
    ],
)
def test_what_the_resource_says_goes_before_its_pods(changed: Json, state: FleetState) -> None:
    cluster = _cluster()
    for part, fields in changed.items():
        cluster[part] = {**cluster.get(part, {}), **fields}
    assert _row(cluster, _pod("h", group="headgroup")).state is state


def test_a_suspended_cluster_is_to_have_no_nodes() -> None:
    assert _row(_cluster(suspend=True)).desired == 0


def test_who_scales() -> None:
    manual, autoscaled = _cluster(), _cluster(enableInTreeAutoscaling=True)
    of_operator = _pod("h", group="headgroup", by=OPERATOR)
    assert _row(manual, _pod("a")).scaled_by is ScaledBy.NOBODY
    assert _row(autoscaled, _pod("a")).scaled_by is ScaledBy.RAY
    assert _row(autoscaled, of_operator).scaled_by is ScaledBy.OPERATOR
    assert _row(manual, of_operator).scaled_by is ScaledBy.NOBODY
    assert _row(manual, _pod("a"), _daemon()).scaled_by is ScaledBy.DAEMON


def test_the_operators_clusters_are_to_have_the_nodes_that_it_wants() -> None:
    cluster = _cluster(enableInTreeAutoscaling=True)
    cluster["metadata"]["finalizers"] = [FINALIZER]
    cluster["status"] = {"desiredWorkerReplicas": 4}
    row = _row(cluster)
    assert (row.desired, row.scaled_by) == (5, ScaledBy.OPERATOR)


def test_what_its_driver_says_is_told_as_long_as_there_is_one() -> None:
    cluster = _cluster()
    cluster["metadata"]["annotations"] = {SUMMARY: written(SAID)}
    head = _pod("h", group="headgroup")
    driven, left = _row(cluster, head, _daemon()), _row(cluster, head)
    assert (driven.demand, driven.cost_per_hour, driven.trouble) == (7, 3.5, "paused by ana")
    assert (left.demand, left.cost_per_hour, left.trouble) == (None, None, "")


def test_pods_are_priced_as_the_annotation_says() -> None:
    cluster = _cluster()
    cluster["metadata"]["annotations"] = {"raytui.io/config": PRICES}
    row = _row(cluster, _pod("h", group="headgroup"), _pod("a"), _pod("b", ready=False))
    assert row.cost_per_hour == 1.5


@pytest.mark.parametrize("config", ["[", "node_types: 3", "node_types: {cpu: {price: 1}}"])
def test_an_annotation_that_cannot_be_read_prices_nothing(config: str) -> None:
    cluster = _cluster()
    cluster["metadata"]["annotations"] = {"raytui.io/config": config}
    assert _row(cluster, _pod("a")).cost_per_hour is None
