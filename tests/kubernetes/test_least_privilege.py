"""With the rights that an installation gives all works; each that is missing is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.daemon_objects import daemon_objects
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.command import RequestResources, SetFloor
from raytui.model.resources import Resources
from raytui.model.snapshot import Snapshot
from tests.kubernetes.autoscaled import Autoscaler, Ray
from tests.kubernetes.clusters import World, group
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

Json = dict[str, Any]
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles"


class Rights:
    """The role of the daemon's user, of which verbs can be taken away and given back."""

    def __init__(self, world: World) -> None:
        self._admin = world.admin
        self._path = ROLES.format(world.namespace)
        of_kind = {one["kind"]: one for one in daemon_objects(world.read())}
        self._role, binding = of_kind["Role"], of_kind["RoleBinding"]
        self._admin.create(self._path, self._role)
        user = {"kind": "User", "name": USER, "apiGroup": "rbac.authorization.k8s.io"}
        self._admin.create(f"{self._path[:-5]}rolebindings", {**binding, "subjects": [user]})

    def without(self, verb: str) -> None:
        """Take one verb away."""
        rules = [
            {**rule, "verbs": [one for one in rule["verbs"] if one != verb]}
            for rule in self._role["rules"]
        ]
        self._write([rule for rule in rules if rule["verbs"]])

    def all(self) -> None:
        """Give all of them."""
        self._write(self._role["rules"])

    def _write(self, rules: list[Json]) -> None:
        path = f"{self._path}/{self._role['metadata']['name']}"
        self._admin.patch(path, [{"op": "add", "path": "/rules", "value": rules}])


@pytest.fixture
def rights(world: World) -> Rights:
    world.create(group("cpu", template=_needs("8")), autoscalerOptions={"idleTimeoutSeconds": 1})
    return Rights(world)


@pytest.fixture
def autoscaler(
    world: World,
    rights: Rights,
    kuberay: KubeRay,
    kubelet: Kubelet,
    plane: ControlPlane,
    tmp_path: Path,
) -> Iterator[Autoscaler]:
    """A daemon's loop with the user's rights, beside KubeRay and a kubelet."""
    config = plane.kubeconfig(tmp_path / "user", user=USER, namespace=world.namespace)
    session = KubeSession(Access(kubeconfig=str(config)), attempts=1)
    with kubelet.running():
        yield Autoscaler(world, Ray(world, kubelet, pods_end=False), session)


def _needs(cpu: str) -> Json:
    requests = {"requests": {"cpu": cpu}}
    return {"spec": {"containers": [{"name": "ray", "image": "ray", "resources": requests}]}}


def _need(autoscaler: Autoscaler, count: int) -> None:
    bundles = ((Resources.of({"CPU": 8}), count),) if count else ()
    autoscaler.loop.command(RequestResources(bundles), "ann@host")


def _runs(count: int) -> Callable[[Snapshot], bool]:
    return lambda shown: [row.running for row in shown.types if row.name == "cpu"] == [count]


def _error(shown: Snapshot, source: str) -> str:
    return next(one.error for one in shown.sources if one.name == source)


def test_all_of_the_loop_works(world: World, autoscaler: Autoscaler, kuberay: KubeRay) -> None:
    _need(autoscaler, 2)
    autoscaler.run_until(_runs(2), "two pods run")
    _need(autoscaler, 0)

    shown = autoscaler.run_until(lambda _: not world.workers(), "all are gone")

    assert kuberay.any_deleted == []
    assert (shown.watch_only, shown.trouble) == ("", "")
    assert all(source.ok for source in shown.sources)


@pytest.mark.parametrize(("verb", "what"), [("patch", "scale"), ("get", "read")])
def test_cluster_that_may_not_be_scaled_is_watched_until_it_may(
    world: World, autoscaler: Autoscaler, rights: Rights, verb: str, what: str
) -> None:
    autoscaler.loop.command(SetFloor("cpu", 1), "ann@host")
    autoscaler.run_until(_runs(1), "one pod runs")
    rights.without(verb)
    _need(autoscaler, 2)

    shown = autoscaler.run_until(lambda shown: shown.watch_only, "it says so")

    assert f"raytui may not {what} RayCluster {world.namespace}/demo" in shown.watch_only
    assert f'cannot {verb} resource "rayclusters"' in shown.watch_only
    assert f"it needs the verb {verb} on rayclusters.ray.io" in shown.watch_only
    assert shown.trouble == ""
    assert all(source.ok for source in shown.sources)
    assert _runs(1)(shown)
    rights.all()
    autoscaler.run_until(_runs(2), "it scales again")


def test_without_a_listing_nothing_is_done_and_all_else_goes_on(
    world: World, autoscaler: Autoscaler, rights: Rights
) -> None:
    autoscaler.loop.command(SetFloor("cpu", 1), "ann@host")
    autoscaler.run_until(_runs(1), "one pod runs")
    rights.without("list")

    shown = autoscaler.run_until(lambda shown: _error(shown, "provider"), "it says so")

    assert 'cannot list resource "pods"' in _error(shown, "provider")
    assert _error(shown, "gcs") == ""
    assert (shown.watch_only, shown.trouble) == ("", "")
    _need(autoscaler, 2)
    assert world.group()["replicas"] == 1
    rights.all()
    autoscaler.run_until(_runs(2), "it scales again")
