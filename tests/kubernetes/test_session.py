"""Requests to a real API server: what it answers, and what is made of its errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from raytui.backends.base import AuthError, ConfigError, QuotaError, TransientError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.errors import AlreadyExistsError, ConflictError, NotFoundError
from raytui.backends.kubernetes.session import KubeSession
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane

pytestmark = pytest.mark.kubernetes


def _maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def _new_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_reads_what_it_wrote_and_counts_its_requests(admin: KubeSession, namespace: str) -> None:
    admin.create(_maps(namespace), _new_map("one", colour="red"))

    assert admin.get(_maps(namespace, "one"))["data"] == {"colour": "red"}
    assert admin.calls() == {"POST configmaps": 1, "GET configmaps": 1}


def test_namespace_is_the_context_s(admin: KubeSession, namespace: str) -> None:
    assert admin.namespace == namespace


def test_list_is_read_in_pages(
    admin: KubeSession, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c", "d", "e"):
        admin.create(_maps(namespace), _new_map(name))
    monkeypatch.setattr("raytui.backends.kubernetes.session._PAGE", 2)

    found = admin.items(_maps(namespace), labelSelector="!other")

    assert [item["metadata"]["name"] for item in found] == ["a", "b", "c", "d", "e"]
    assert admin.calls()["GET configmaps"] == 3


def test_what_is_not_there_is_said_in_the_server_s_words(
    admin: KubeSession, namespace: str
) -> None:
    with pytest.raises(NotFoundError, match='404 NotFound: configmaps "none" not found'):
        admin.get(_maps(namespace, "none"))


def test_same_name_twice_is_no_conflict(admin: KubeSession, namespace: str) -> None:
    admin.create(_maps(namespace), _new_map("one"))

    with pytest.raises(AlreadyExistsError, match="already exists"):
        admin.create(_maps(namespace), _new_map("one"))


def test_patch_of_what_has_changed_since_is_a_conflict(admin: KubeSession, namespace: str) -> None:
    read = admin.create(_maps(namespace), _new_map("one", colour="red"))
    change = {"op": "replace", "path": "/data/colour", "value": "blue"}
    version = {
        "op": "test",
        "path": "/metadata/resourceVersion",
        "value": read["metadata"]["resourceVersion"],
    }
    admin.patch(_maps(namespace, "one"), [version, change])

    with pytest.raises(ConflictError, match="not what it was"):
        admin.patch(_maps(namespace, "one"), [version, {**change, "value": "green"}])
    assert admin.get(_maps(namespace, "one"))["data"] == {"colour": "blue"}


def test_object_that_breaks_its_schema_is_refused_with_the_field(
    admin: KubeSession, namespace: str
) -> None:
    body = {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": "odd"},
        "spec": {"headGroupSpec": {"template": {}, "rayStartParams": {"num-cpus": 4}}},
    }

    with pytest.raises(ConfigError, match=r"422 Invalid.*rayStartParams\.num-cpus"):
        admin.create(f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters", body)


def test_used_up_quota_is_a_quota_error(admin: KubeSession, namespace: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {"count/configmaps": "0"}},
        "status": {"hard": {"count/configmaps": "0"}, "used": {"count/configmaps": "0"}},
    }
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    admin.create(path, quota)
    hard = quota["status"]
    admin.patch(f"{path}/few/status", [{"op": "add", "path": "/status", "value": hard}])

    with pytest.raises(QuotaError, match="exceeded quota: few"):
        admin.create(_maps(namespace), _new_map("one"))


def test_forbidden_names_the_user_and_the_verb(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    config = plane.kubeconfig(tmp_path / "config", user=USER, namespace=namespace)
    session = KubeSession(Access(kubeconfig=str(config)))

    with pytest.raises(AuthError, match=f'403 Forbidden.*User "{USER}" cannot list.*pods'):
        session.items(f"/api/v1/namespaces/{namespace}/pods")


def test_unknown_token_is_an_auth_error_that_says_what_to_do(
    plane: ControlPlane, tmp_path: Path
) -> None:
    config = plane.config_of(USER, "default")
    config["users"] = [{"name": USER, "user": {"token": "wrong"}}]
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))

    with pytest.raises(AuthError, match=r"401 Unauthorized.*log in again"):
        KubeSession(Access(kubeconfig=str(path))).get("/api/v1/namespaces/default")


def test_server_with_a_certificate_of_somebody_else_is_not_trusted(
    plane: ControlPlane, tmp_path: Path
) -> None:
    config = plane.config_of(USER, "default")
    del config["clusters"][0]["cluster"]["certificate-authority"]
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))

    with pytest.raises(ConfigError, match=r"is not trusted: .*CERTIFICATE_VERIFY_FAILED"):
        KubeSession(Access(kubeconfig=str(path))).get("/api/v1/namespaces/default")


def test_nobody_at_the_address_is_a_transient_error(plane: ControlPlane, tmp_path: Path) -> None:
    config = plane.config_of(USER, "default")
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    session = KubeSession(Access(kubeconfig=str(path)), attempts=2)

    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9 did not answer: .*refused"):
        session.get("/api/v1/namespaces/default")
    assert session.calls() == {"GET namespaces": 2}


def test_token_of_an_exec_plugin_is_used(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    credential = (
        '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
        f'"status": {{"token": "{plane.tokens["admin"]}"}}}}'
    )
    path = _with_plugin(plane, tmp_path, f"echo '{credential}'")

    found = KubeSession(Access(kubeconfig=str(path))).get(f"/api/v1/namespaces/{namespace}")

    assert found["metadata"]["name"] == namespace


def test_failing_exec_plugin_is_told_in_its_own_words(plane: ControlPlane, tmp_path: Path) -> None:
    path = _with_plugin(plane, tmp_path, "echo 'session has expired' >&2; exit 3")

    with pytest.raises(AuthError, match=r"context admin: exec: .*session has expired"):
        KubeSession(Access(kubeconfig=str(path))).get("/api/v1/namespaces/default")


def _with_plugin(plane: ControlPlane, folder: Path, script: str) -> Path:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": shutil.which("sh"),
        "args": ["-c", script],
        "interactiveMode": "Never",
    }
    config = plane.config_of("admin", "default")
    config["users"] = [{"name": "admin", "user": {"exec": plugin}}]
    path = folder / "config"
    path.write_text(yaml.safe_dump(config))
    return path
