"""One API server for all tests here, with the RayCluster resource; a namespace for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import KubeSession
from raytui.config.locations import packaged
from tests.kubernetes.clusters import World
from tests.kubernetes.control_plane import ADMIN, ControlPlane, control_plane
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until
from tests.support.kube_machine import machine as pods_machine
from tests.support.needs import missing

USER = "autoscaler"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The API server; `USER` may do nothing until a role says so."""
    folder = tmp_path_factory.mktemp("control-plane")
    with control_plane(folder, (USER,)) as running:
        admin = KubeSession(Access(kubeconfig=str(running.kubeconfig(folder / "admin.yaml"))))
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        admin.create(definitions, yaml.safe_load(_definition()))
        until(lambda: admin.get("/apis/ray.io/v1"), "the RayCluster resource is served", 60)
        yield running


def _definition() -> str:
    """Our own definition of RayCluster, or the one in a file, such as KubeRay's."""
    if path := os.environ.get("RAYTUI_TEST_RAYCLUSTER_CRD"):
        return Path(path).read_text()
    return (packaged("charts") / "raytui-operator" / "crds" / "ray.io_rayclusters.yaml").read_text()


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A new namespace of this test's own."""
    name = f"test-{next(_numbers)}"
    config = plane.folder / "admin.yaml"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    KubeSession(Access(kubeconfig=str(config))).create("/api/v1/namespaces", body)
    return name


@pytest.fixture
def kubeconfig(plane: ControlPlane, namespace: str, tmp_path: Path) -> Path:
    """The administrator's kubeconfig, with the test's namespace."""
    return plane.kubeconfig(tmp_path / "kubeconfig", user=ADMIN, namespace=namespace)


@pytest.fixture
def admin(kubeconfig: Path) -> KubeSession:
    """The administrator."""
    return KubeSession(Access(kubeconfig=str(kubeconfig)))


@pytest.fixture
def world(
    admin: KubeSession, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A namespace for one RayCluster, and a daemon's own folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return World(admin, namespace)


@pytest.fixture
def kuberay(kubeconfig: Path, namespace: str) -> Iterator[KubeRay]:
    """KubeRay's part, which begins with the test and ends with it.

    What it had to delete at random is an error of who has scaled.
    """
    controller = KubeRay(KubeSession(Access(kubeconfig=str(kubeconfig))), namespace)
    with controller.running():
        yield controller


@pytest.fixture
def kubelet(admin: KubeSession, namespace: str) -> Kubelet:
    """A kubelet's part."""
    return Kubelet(admin, namespace)


@pytest.fixture
def machine(
    plane: ControlPlane, admin: KubeSession, namespace: str
) -> Iterator[pods_machine.Machine]:
    """A machine that runs the pods of the test's namespace for real, on a network of their own."""
    missing("pods")
    with pods_machine.machine(
        admin, plane.url, plane.certificate, namespaces=(namespace,)
    ) as running:
        yield running
