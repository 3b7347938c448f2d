"""Service accounts of pods: their tokens, as they are mounted in containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.session import KubeSession

Json = dict[str, Any]


class Accounts:
    """Folders with a token, the server's certificate and the namespace, one an account."""

    def __init__(self, session: KubeSession, folder: Path, certificate: Path) -> None:
        self._session = session
        self._folder = folder
        self._certificate = certificate

    def folder_of(self, pod: Json) -> Path | None:
        """The folder of a pod's account; None when it has none, or wants no token."""
        spec, namespace = pod["spec"], pod["metadata"]["namespace"]
        name = spec.get("serviceAccountName") or "default"
        if spec.get("automountServiceAccountToken") is False:
            return None
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
        try:
            if self._session.get(path).get("automountServiceAccountToken") is False:
                return None
            asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
            token = self._session.create(f"{path}/token", asked)["status"]["token"]
        except NotFoundError:
            if name != "default":
                raise  # a pod is not admitted before its account is there
            return None
        folder = self._folder / namespace / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(token)
        (folder / "ca.crt").write_bytes(self._certificate.read_bytes())
        (folder / "namespace").write_text(namespace)
        return folder
