"""How the API server of a Kubernetes cluster is reached: kubeconfig and contexts, or a pod's own.

Everything that a kubeconfig may say (certificates, tokens, exec plugins, OIDC, proxies) is left to
the `kubernetes` library.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from raytui.backends.base import AuthError, ConfigError, ProviderError

_NOT_INSTALLED = (
    "Kubernetes needs its client: install raytui with `pip install 'raytui[kubernetes]'`"
)
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_IN_POD = "KUBERNETES_SERVICE_HOST"


class Access(Struct, frozen=True, omit_defaults=True):
    """Which cluster, as whom, and in which namespace; empty means what kubectl would take."""

    kubeconfig: str = ""
    """Path; empty: `$KUBECONFIG`, then `~/.kube/config`, then the service account of this pod."""
    context: str = ""
    namespace: str = ""


class Context(Struct, frozen=True):
    """A context of a kubeconfig."""

    name: str
    cluster: str
    user: str
    namespace: str
    is_current: bool


class Opened(Struct, frozen=True):
    """A way in: the library's client, and what people should know of it."""

    client: Any
    """A `kubernetes.client.ApiClient` with a configuration of its own."""
    namespace: str
    who: str
    """`context prod`, or `this pod's service account`."""

    @property
    def server(self) -> str:
        """Its URL."""
        return str(self.client.configuration.host)

    def headers(self) -> dict[str, str]:
        """What says who is asking; a token that has run out is renewed first.

        Raises AuthError when it cannot be.
        """
        with _plugins_heard(self.who):
            settings = self.client.configuration.auth_settings()
        return {one["key"]: one["value"] for one in settings.values() if one["in"] == "header"}


def contexts(kubeconfig: str = "") -> list[Context]:
    """The contexts of a kubeconfig, in its order; empty when there is none.

    Raises ConfigError for one that cannot be read.
    """
    path = _kubeconfig(kubeconfig)
    if not path:
        return []
    config = _library()
    with _readable(path):
        found, current = config.list_kube_config_contexts(path)
    return [
        Context(
            name=one["name"],
            cluster=one["context"].get("cluster", ""),
            user=one["context"].get("user", ""),
            namespace=one["context"].get("namespace", ""),
            is_current=one["name"] == current["name"],
        )
        for one in found
    ]


def opened(access: Access) -> Opened:
    """A client for the cluster that is meant; its server is not asked yet.

    An exec plugin of the kubeconfig is run, for as long as a login may take. Raises ConfigError,
    and AuthError when a plugin fails.
    """
    path = _kubeconfig(access.kubeconfig)
    if path:
        return _by_kubeconfig(path, access)
    if access.context:
        raise ConfigError(f"no kubeconfig is there to have a context {access.context}")
    if os.environ.get(_IN_POD):
        return _as_this_pod(access)
    raise ConfigError("no Kubernetes cluster: set KUBECONFIG, or write ~/.kube/config")


def _by_kubeconfig(path: str, access: Access) -> Opened:
    config = _library()
    with _readable(path):
        found, current = config.list_kube_config_contexts(path)
    name = access.context or current["name"]
    known = {one["name"]: one["context"] for one in found}
    if name not in known:
        raise ConfigError(f"{path} has no context {name}; it has {', '.join(known) or 'none'}")
    who = f"context {name}"
    with _plugins_heard(who), _readable(path):
        client = config.new_client_from_config(path, name, persist_config=False)
    namespace = access.namespace or known[name].get("namespace") or "default"
    return Opened(client, namespace, who)


def _as_this_pod(access: Access) -> Opened:
    config = _library()
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration()
    with _readable("the service account of this pod"):
        config.load_incluster_config(configuration)
        own = _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.is_file() else ""
    namespace = access.namespace or own or "default"
    return Opened(ApiClient(configuration), namespace, "this pod's service account")


def _kubeconfig(named: str) -> str:
    """The path or paths, as `$KUBECONFIG` has them; empty when there is none."""
    usual = Path.home() / ".kube" / "config"
    found = named or os.environ.get("KUBECONFIG", "") or (str(usual) if usual.is_file() else "")
    return str(Path(found).expanduser()) if found and os.pathsep not in found else found


def _library() -> Any:
    try:
        from kubernetes import config
    except ModuleNotFoundError as error:
        raise ConfigError(_NOT_INSTALLED) from error
    return config


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Tell of what cannot be read; the library lets YAML's and Python's own errors through."""
    try:
        yield
    except ProviderError:
        raise
    except Exception as error:
        raise ConfigError(f"{what}: {str(error) or type(error).__name__}") from error


@contextmanager
def _plugins_heard(who: str) -> Iterator[None]:
    """Raise AuthError for a credential plugin that fails, of which the library only logs."""
    said: list[str] = []
    here = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here and record.levelno >= logging.ERROR:
                said.append(record.getMessage())

    listener, root = Listener(), logging.getLogger()
    root.addHandler(listener)
    try:
        yield
    finally:
        root.removeHandler(listener)
    if said:
        raise AuthError(f"{who}: {'; '.join(said)}")
