"""Who is asked about a cluster that raytui's operator drives."""

from __future__ import annotations

import pytest

from raytui.backends.kubernetes.driver import drivers_of
from raytui.backends.kubernetes.marks import APP, DAEMON_CONTAINER, FINALIZER, OPERATOR
from raytui.operator.lease import NAME as LEASE
from tests.kubernetes.clusters import NAME, World, group
from tests.kubernetes.kubelet import Kubelet

pytestmark = pytest.mark.kubernetes


def _operator(world: World, kubelet: Kubelet, name: str) -> None:
    container = {"name": DAEMON_CONTAINER, "image": "raytui"}
    meta = {"name": name, "labels": {APP: OPERATOR}}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [container]},
    }
    world.admin.create(world.pods_path, body)
    kubelet.bind(name)
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    status = {**container, "imageID": "", "ready": True, "restartCount": 0, "state": state}
    kubelet.tell(name, phase="Running", containerStatuses=[status])


def test_operator_that_leads_is_asked_first(world: World, kubelet: Kubelet) -> None:
    world.create(group("cpu"))
    world.patch("/metadata/finalizers", [FINALIZER])
    for name in ("operator-a", "operator-b"):
        _operator(world, kubelet, name)
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{world.namespace}/leases"
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE},
        "spec": {"holderIdentity": "operator-b-0a1b2c3d"},
    }
    world.admin.create(leases, lease)

    found = drivers_of(world.admin, world.namespace, NAME)

    here = [pod.name for pod in found.pods if pod.namespace == world.namespace]
    assert here == ["operator-b", "operator-a"]
