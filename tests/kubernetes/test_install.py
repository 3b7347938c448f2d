"""`raytui k8s install` on a real API server: made, made again, and taken away."""

from __future__ import annotations

from typing import Any

import pytest

from raytui.backends.base import ConfigError
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.install import apply, plan_of_installation, uninstall
from raytui.backends.kubernetes.manifest import spec_of
from raytui.config.kube_address import read_address
from tests.kubernetes.clusters import NAME, World, group
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]
ROLE = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles/demo-raytui"
DEPLOYMENT = "/apis/apps/v1/namespaces/{}/deployments/demo-raytui"


@pytest.fixture
def cluster(world: World) -> Json:
    return world.create(group("cpu"), enableInTreeAutoscaling=True)


def deployment(world: World) -> Json:
    return world.admin.get(DEPLOYMENT.format(world.namespace))


def install(world: World, image: str = "raytui:test") -> list[str]:
    planned = plan_of_installation(world.admin, world.namespace, NAME, image)
    return [step.outcome for step in apply(world.admin, planned)]


def test_plan_changes_nothing(world: World, cluster: Json) -> None:
    planned = plan_of_installation(world.admin, world.namespace, NAME)

    kinds = [one["kind"] for one in planned.objects]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "Deployment"]
    with pytest.raises(NotFoundError):
        deployment(world)
    assert world.read()["metadata"]["resourceVersion"] == cluster["metadata"]["resourceVersion"]


def test_kuberays_autoscaler_is_switched_off_and_nothing_else_is_changed(
    world: World, cluster: Json
) -> None:
    assert install(world) == ["created"] * 4 + ["changed"]

    spec = dict(cluster["spec"])
    assert spec.pop("enableInTreeAutoscaling") is True
    now = dict(world.read()["spec"])
    assert now.pop("enableInTreeAutoscaling") is False
    assert now == spec


def test_second_installation_changes_what_differs(world: World, cluster: Json) -> None:
    install(world)

    again = install(world)
    other = install(world, "raytui:other")

    assert again == ["as it is"] * 4
    assert other == ["as it is"] * 3 + ["changed"]
    (container,) = deployment(world)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "raytui:other"


def test_daemon_may_do_no_more_than_it_does(world: World, cluster: Json) -> None:
    install(world)

    rules = world.admin.get(ROLE.format(world.namespace))["rules"]

    assert [(r["resources"], r.get("resourceNames"), r["verbs"]) for r in rules] == [
        (["rayclusters"], [NAME], ["get", "patch"]),
        (["pods"], None, ["list"]),
    ]


def test_one_unprivileged_daemon_runs_and_goes_with_the_cluster(
    world: World, cluster: Json
) -> None:
    install(world)

    found = deployment(world)

    assert found["metadata"]["ownerReferences"][0]["uid"] == cluster["metadata"]["uid"]
    assert (found["spec"]["replicas"], found["spec"]["strategy"]["type"]) == (1, "Recreate")
    pod = found["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    address = read_address(container["args"][1])
    assert (container["args"][0], address.namespace) == ("--daemon", world.namespace)
    assert spec_of(world.read()).cluster_name == address.name
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_object_of_somebody_else_is_left_alone(world: World, cluster: Json) -> None:
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "demo-raytui"}}
    world.admin.create(f"/api/v1/namespaces/{world.namespace}/serviceaccounts", body)

    with pytest.raises(ConfigError, match="ServiceAccount demo-raytui that raytui has not made"):
        install(world)
    with pytest.raises(ConfigError, match="ServiceAccount demo-raytui that raytui has not made"):
        uninstall(world.admin, world.namespace, NAME)


def test_what_was_made_is_deleted_and_the_cluster_stays(world: World, cluster: Json) -> None:
    install(world)
    before = world.read()

    first = uninstall(world.admin, world.namespace, NAME)
    second = uninstall(world.admin, world.namespace, NAME)

    assert [step.what.split()[0] for step in first] == [
        "Deployment",
        "RoleBinding",
        "Role",
        "ServiceAccount",
    ]
    assert {step.outcome for step in first} == {"deleted"}
    assert {step.outcome for step in second} == {"not there"}
    assert world.read() == before


def test_cluster_that_is_made_anew_for_it_is_told_beforehand(world: World) -> None:
    world.create(group("cpu"), enableInTreeAutoscaling=True, upgradeStrategy={"type": "Recreate"})

    planned = plan_of_installation(world.admin, world.namespace, NAME)
    apply(world.admin, planned)
    again = plan_of_installation(world.admin, world.namespace, NAME)

    assert (planned.restarts, again.restarts) == (True, False)


def test_head_that_keeps_rays_autoscaler_is_only_watched_until_it_is_made_anew(
    world: World, cluster: Json, kuberay: KubeRay
) -> None:
    def heads() -> list[str]:
        found = world.admin.items(world.pods_path, labelSelector="ray.io/node-type=head")
        return [pod["metadata"]["name"] for pod in found]

    (before,) = until(heads, "the head")
    provider = world.provider()

    planned = plan_of_installation(world.admin, world.namespace, NAME)
    apply(world.admin, planned)
    provider.read_spec()
    provider.list_instances()

    assert f"delete pod -n {world.namespace} {before}" in planned.still_scaled
    assert provider.why_only_watched() == planned.still_scaled
    world.end_head()
    until(lambda: heads() and heads() != [before], "another head")
    provider.list_instances()
    assert provider.why_only_watched() == ""
    assert plan_of_installation(world.admin, world.namespace, NAME).still_scaled == ""
