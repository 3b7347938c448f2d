"""What people have ordered is kept with the RayCluster, once they were told that it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytui.autoscaler.daemon.control import Control
from raytui.backends.kubernetes.marks import MEMORY
from raytui.model.command import SetFloor
from raytui.operator.memory import Orders, orders_of
from tests.kubernetes.clusters import NAME, World, group
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.operating import Operator, operator
from tests.kubernetes.test_charts import OPERATOR, of_kind, rendered
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/"
GROUP = {"apiGroup": "rbac.authorization.k8s.io"}


def _order(running: Operator, world: World, floor: int) -> None:
    socket = until(lambda: running.socket(world.namespace, NAME), "the control socket")
    assert socket is not None
    with Control(socket) as control:
        assert control.send(SetFloor("cpu", floor)).ok


def _is_kept(world: World, floor: int) -> bool:
    return orders_of(world.read()) == Orders(floors={"cpu": floor})


def test_order_of_the_last_moment_outlives_an_operator_that_is_stopped(
    world: World, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu"), enableInTreeAutoscaling=True)
    with operator(kubeconfig, tmp_path) as running:
        _order(running, world, 2)

        assert running.stop() == 0

    assert _is_kept(world, 2)


def test_order_is_kept_while_the_status_cannot_be_written(
    plane: ControlPlane, world: World, tmp_path: Path
) -> None:
    roles = of_kind(rendered(OPERATOR, namespacedOperator=True), "Role")
    (rules,) = (one["rules"] for one in roles if not one["metadata"]["name"].endswith("leader"))
    left = [rule for rule in rules if "rayclusters/status" not in rule["resources"]]
    where, meta = ROLES.format(world.namespace), {"name": "operator"}
    world.admin.create(f"{where}roles", {"kind": "Role", "metadata": meta, "rules": left})
    binding = {
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {**GROUP, "kind": "Role", "name": "operator"},
        "subjects": [{**GROUP, "kind": "User", "name": USER}],
    }
    world.admin.create(f"{where}rolebindings", binding)
    config = plane.kubeconfig(tmp_path / "limited", user=USER, namespace=world.namespace)
    world.create(group("cpu"), enableInTreeAutoscaling=True)
    options = (f"--namespace={world.namespace}", "--no-leader-election")
    with operator(config, tmp_path, *options) as running:
        _order(running, world, 2)

        until(lambda: _is_kept(world, 2), "the order is kept", 40)

        assert "status" not in world.read()


def test_order_that_somebody_takes_away_is_written_again(
    world: World, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu"), enableInTreeAutoscaling=True)
    with operator(kubeconfig, tmp_path) as running:
        _order(running, world, 2)
        until(lambda: _is_kept(world, 2), "the order is kept")

        world.patch(f"/metadata/annotations/{MEMORY.replace('/', '~1')}", "")

        until(lambda: _is_kept(world, 2), "it is kept again")


def test_order_outlives_that_the_cluster_is_suspended(
    world: World, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu"), enableInTreeAutoscaling=True)
    with operator(kubeconfig, tmp_path) as running:
        _order(running, world, 2)
        world.patch("/spec/suspend", True)
        until(lambda: running.socket(world.namespace, NAME) is None, "its autoscaler has ended")

        assert until(lambda: _is_kept(world, 2), "the order is kept", 3)
