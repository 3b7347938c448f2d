"""What a person may write for a cluster on Kubernetes, and what is said when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from raytui.backends.base import ConfigError, ProviderError
from raytui.backends.kubernetes.named import address_of
from raytui.backends.kubernetes.session import KubeSession
from raytui.provisioning.target import cluster_of, name_of
from tests.kubernetes.clusters import World, group, manifest
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane

pytestmark = pytest.mark.kubernetes


@pytest.fixture(autouse=True)
def at_a_laptop(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kubectl's own variable names the cluster; this is no pod."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def _file(folder: Path, namespace: str = "") -> Path:
    body = manifest(group("cpu", maxReplicas=3))
    if namespace:
        body["metadata"]["namespace"] = namespace
    path = folder / "raycluster.yaml"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}
    path.write_text(yaml.safe_dump_all([config, body]))
    return path


def test_name_alone_is_of_the_current_context_and_its_namespace(world: World) -> None:
    world.create(group("cpu", maxReplicas=3))
    spec = cluster_of("k8s:demo")
    assert str(address_of(spec)) == f"k8s:admin/{world.namespace}/demo"
    assert spec.node_types["cpu"].max_workers == 3


def test_state_is_kept_apart_by_context_and_namespace(world: World) -> None:
    world.create(group("cpu"))
    assert name_of("k8s:demo") == f"admin.{world.namespace}.demo"


def test_in_a_pod_there_is_only_the_pods_own_cluster(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(group("cpu"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert name_of("k8s:demo") == f"{world.namespace}.demo"


def test_manifest_is_a_cluster_before_it_is_on_the_server(world: World, tmp_path: Path) -> None:
    path = _file(tmp_path)
    spec = cluster_of(str(path))
    assert str(address_of(spec)) == f"k8s:admin/{world.namespace}/demo"
    assert spec.source == str(path)


def test_manifest_says_its_own_namespace(world: World, tmp_path: Path) -> None:
    assert str(address_of(cluster_of(str(_file(tmp_path, "ml"))))) == "k8s:admin/ml/demo"


def test_missing_cluster_is_told_with_those_that_are_there(world: World) -> None:
    world.create(group("cpu"))
    with pytest.raises(ConfigError, match=f"no RayCluster nope in .*{world.namespace}.*: demo "):
        cluster_of("k8s:nope")


def test_unknown_context_is_told_with_those_that_are_known(world: World) -> None:
    with pytest.raises(ConfigError, match="has no context nowhere; it has admin"):
        cluster_of("k8s:nowhere/ml/demo")


def test_what_may_not_be_read_is_told_in_kubernetes_words(
    world: World, plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.create(group("cpu"))
    weak = plane.kubeconfig(tmp_path / "weak", user=USER, namespace=world.namespace)
    monkeypatch.setenv("KUBECONFIG", str(weak))
    with pytest.raises(ProviderError, match='cannot get resource "rayclusters"'):
        cluster_of("k8s:demo")


def test_server_without_rayclusters_says_what_to_install(
    admin: KubeSession, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raytui.backends.kubernetes.raycluster.API", "/apis/ray.io/v7")
    with pytest.raises(ConfigError, match="knows no RayClusters: install KubeRay"):
        cluster_of("k8s:demo")
