"""A real Kubernetes API server for tests: etcd and kube-apiserver on loopback, nothing else.

There is no controller and no kubelet: pods are objects, and namespaces are never gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

ADMIN = "admin"
_READY_S = 60
_HOW = (
    "no API server: set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd "
    "(docs/kubernetes.md says where to get them)"
)


def binary(name: str) -> str:
    """Where a program of the control plane is; a test that needs it is skipped without it."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    found = shutil.which(name, path=assets) if assets else shutil.which(name)
    if found:
        return found
    is_let_off = os.environ.get("RAYTUI_TEST_WITHOUT_KUBERNETES") == "1"
    if os.environ.get("RAYTUI_TEST_STRICT") == "1" and not is_let_off:
        pytest.fail(_HOW)
    pytest.skip(_HOW)


_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "Request", "resources": [{"group": "ray.io", "resources": ["rayclusters"]}]},
        {"level": "Metadata"},
    ],
}
"""Writes are noted, those of RayClusters with what they said."""


class ControlPlane:
    """A running API server, and kubeconfigs for its users."""

    def __init__(self, folder: Path, url: str, tokens: dict[str, str]) -> None:
        self.folder = folder
        self.url = url
        self.tokens = tokens

    @property
    def certificate(self) -> Path:
        """What the server is trusted by."""
        return self.folder / "certs" / "apiserver.crt"

    def kubeconfig(self, path: Path, *, user: str = ADMIN, namespace: str = "default") -> Path:
        """Write the kubeconfig of one user, who has a token."""
        path.write_text(yaml.safe_dump(self.config_of(user, namespace)))
        return path

    def config_of(self, user: str, namespace: str) -> dict[str, object]:
        """A kubeconfig's content."""
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        context = {"cluster": "test", "user": user, "namespace": namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": user, "context": context}],
            "current-context": user,
        }

    def writes(self) -> list[dict[str, Any]]:
        """Who has changed what so far, from the audit log: the events that are complete."""
        lines = (self.folder / "audit.log").read_text().splitlines()
        return [json.loads(line) for line in lines]


@contextmanager
def control_plane(folder: Path, users: tuple[str, ...] = ()) -> Iterator[ControlPlane]:
    """An API server of one's own; `users` may do nothing until a role says so."""
    etcd, server = binary("etcd"), binary("kube-apiserver")
    peer_port, store_port, port = _free_ports(3)
    store = f"http://127.0.0.1:{store_port}"
    tokens = {user: secrets.token_hex(16) for user in (ADMIN, *users)}
    rows = [f"{tokens[user]},{user},{user}" for user in users]
    rows.append(f"{tokens[ADMIN]},{ADMIN},{ADMIN},system:masters")
    (folder / "tokens.csv").write_text("\n".join(rows) + "\n")
    (folder / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))
    key = folder / "service-account.key"
    key.write_bytes(_new_key())
    with (
        _running(
            folder / "etcd.log",
            etcd,
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            "--unsafe-no-fsync",
            "--log-level=error",
        ),
        _running(
            folder / "kube-apiserver.log",
            server,
            f"--etcd-servers={store}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={folder / 'certs'}",
            "--endpoint-reconciler-type=none",
            "--authorization-mode=RBAC",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.99.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={folder / 'audit.yaml'}",
            f"--audit-log-path={folder / 'audit.log'}",
            env={"GOMEMLIMIT": "400MiB", "GOGC": "50"},
        ) as process,
    ):
        running = ControlPlane(folder, f"https://127.0.0.1:{port}", tokens)
        _wait_until_ready(running, process)
        yield running


def _wait_until_ready(plane: ControlPlane, process: subprocess.Popen[bytes]) -> None:
    from raytui.backends.base import ProviderError
    from raytui.backends.kubernetes.access import Access
    from raytui.backends.kubernetes.session import KubeSession

    until = time.monotonic() + _READY_S
    while True:
        try:
            config = plane.kubeconfig(plane.folder / "admin.yaml")
            session = KubeSession(Access(kubeconfig=str(config)), attempts=1)
            session.get("/api/v1/namespaces/default")
            return
        except ProviderError as error:
            log = (plane.folder / "kube-apiserver.log").read_text()[-2000:]
            assert process.poll() is None, f"kube-apiserver ended: {log}"
            assert time.monotonic() < until, f"kube-apiserver is not ready: {error}\n{log}"
            time.sleep(0.2)


@contextmanager
def _running(
    log: Path, *command: str, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs while the block does, and not longer than the tests."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            preexec_fn=_end_with_tests,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def _end_with_tests() -> None:
    """Linux ends this process when the one that started it is gone, however that ended."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _new_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
