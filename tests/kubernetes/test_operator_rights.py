"""The operator with one of its rights missing: it says which, and goes on as soon as it has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raytui.backends.kubernetes.errors import NotFoundError
from tests.kubernetes.clusters import World, group
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.operating import operator
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]
_RIGHTS = {
    ("ray.io", "rayclusters"): ("get", "list", "watch", "patch"),
    ("ray.io", "rayclusters/status"): ("patch",),
    ("", "pods"): ("get", "list", "watch", "create", "delete"),
    ("", "services"): ("get", "create", "delete"),
    ("", "secrets"): ("get", "create", "delete"),
    ("", "persistentvolumeclaims"): ("get", "create", "delete"),
    ("", "events"): ("create", "patch"),
}
_NEEDED = (
    ("rayclusters", "list"),
    ("rayclusters", "watch"),
    ("rayclusters", "patch"),
    ("rayclusters/status", "patch"),
    ("pods", "list"),
    ("pods", "watch"),
    ("pods", "create"),
    ("services", "create"),
    ("events", "create"),
)
"""Without which a RayCluster does not come up as it should."""


def _role(world: World, without: tuple[str, str] | None) -> Json:
    rules = []
    for (group_, resource), verbs in _RIGHTS.items():
        left = [verb for verb in verbs if (resource, verb) != without]
        rules.append({"apiGroups": [group_], "resources": [resource], "verbs": left or ["nothing"]})
    return {"metadata": {"name": "operator", "namespace": world.namespace}, "rules": rules}


def _allow(world: World, without: tuple[str, str] | None) -> None:
    """Give the operator's user the rights of the chart, but for one."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}"
    role = _role(world, without)
    try:
        world.admin.get(f"{rbac}/roles/operator")
    except NotFoundError:
        world.admin.create(f"{rbac}/roles", role)
        to = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"}
        whom = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}]
        bound = {"metadata": {"name": "operator"}, "roleRef": to, "subjects": whom}
        world.admin.create(f"{rbac}/rolebindings", bound)
    else:
        rules = [{"op": "replace", "path": "/rules", "value": role["rules"]}]
        world.admin.patch(f"{rbac}/roles/operator", rules)


@pytest.mark.parametrize(("resource", "verb"), _NEEDED)
def test_a_missing_right_is_named_and_work_goes_on_once_it_is_given(
    resource: str, verb: str, plane: ControlPlane, world: World, kubelet: Kubelet, tmp_path: Path
) -> None:
    config = plane.kubeconfig(tmp_path / "operator.yaml", user=USER, namespace=world.namespace)
    words = f'cannot {verb} resource "{resource}"'
    _allow(world, (resource, verb))
    world.create(group("cpu", replicas=1))

    with operator(config, tmp_path) as running, kubelet.running():
        until(lambda: words in running.log.read_text().replace("\\", ""), words, 40)
        assert running.process.poll() is None, "it goes on"
        _allow(world, None)
        until(world.workers, "a worker", 40)
