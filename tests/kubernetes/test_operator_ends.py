"""A RayCluster that is deleted goes, whatever its operator may not do and whatever it says now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.clusters import NAME, World, group
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.operating import operator
from tests.kubernetes.test_charts import OPERATOR, of_kind, rendered
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/"


@pytest.fixture
def limited(plane: ControlPlane, world: World, tmp_path: Path) -> Path:
    """The kubeconfig of a user with the rights that the chart gives by default, and no others."""
    roles = of_kind(rendered(OPERATOR, namespacedOperator=True), "Role")
    (rules,) = (one["rules"] for one in roles if not one["metadata"]["name"].endswith("leader"))
    where = ROLES.format(world.namespace)
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "operator"}}
    group_of = {"apiGroup": "rbac.authorization.k8s.io"}
    world.admin.create(f"{where}roles", {**api, "kind": "Role", "rules": rules})
    binding = {
        **api,
        "kind": "RoleBinding",
        "roleRef": {**group_of, "kind": "Role", "name": "operator"},
        "subjects": [{**group_of, "kind": "User", "name": USER}],
    }
    world.admin.create(f"{where}rolebindings", binding)
    return plane.kubeconfig(tmp_path / "limited", user=USER, namespace=world.namespace)


def _said(world: World, reason: str) -> str:
    events = world.admin.items(f"/api/v1/namespaces/{world.namespace}/events")
    return next((one["message"] for one in events if one["reason"] == reason), "")


def _is_gone(world: World) -> bool:
    return not world.admin.items(world.path)


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"authOptions": {"mode": "token"}}, "rights.secrets"),
        ({"gcsFaultToleranceOptions": {"backend": "rocksdb"}}, "rights.volumeClaims"),
    ],
)
def test_cluster_whose_secret_or_volume_is_refused_says_why_and_can_be_deleted(
    world: World, limited: Path, tmp_path: Path, options: Json, value: str
) -> None:
    where = (f"--namespace={world.namespace}", "--no-leader-election")
    with operator(limited, tmp_path, *where):
        world.create(group("cpu"), **options)
        words = until(lambda: _said(world, "FailedCreateHeadPod"), "it says what is refused")
        assert f"{value}=true" in words

        world.admin.delete(f"{world.path}/{NAME}")

        until(lambda: _is_gone(world), "the RayCluster is gone")
        words = until(lambda: _said(world, "LeftToGarbageCollector"), "it says what may be left")
        assert f"{value}=true" in words
        assert not world.admin.items(f"/api/v1/namespaces/{world.namespace}/services")


@pytest.mark.parametrize("spec", [{}, {"containers": []}], ids=["empty", "no containers"])
def test_cluster_whose_spec_makes_no_sense_any_more_can_be_deleted(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path, spec: Json
) -> None:
    with operator(kubeconfig, tmp_path) as running, kubelet.running():
        own = {"metadata": {"name": "mine"}}
        world.create(group("cpu", replicas=1))
        until(world.workers, "the worker")
        running.kill()
        world.patch("/spec/headGroupSpec/headService", own)
        world.patch("/spec/headGroupSpec/template/spec", spec)
        world.admin.delete(f"{world.path}/{NAME}")

        running.start()

        until(lambda: _is_gone(world), "the RayCluster is gone")
        until(lambda: not world.admin.items(world.pods_path), "all pods are gone")
        assert not world.admin.items(f"/api/v1/namespaces/{world.namespace}/services")
