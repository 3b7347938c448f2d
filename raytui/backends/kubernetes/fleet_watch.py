"""All RayClusters of a Kubernetes cluster or of one namespace, kept true by watches."""

from __future__ import annotations

from collections.abc import Callable

from raytui.backends.base import AuthError, ProviderError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.fleet import (
    DAEMON_PODS,
    RAY_PODS,
    FleetCluster,
    FleetPod,
    cluster_kept,
    pod_kept,
    rows_of,
)
from raytui.backends.kubernetes.informer import Informer
from raytui.backends.kubernetes.named import no_kind
from raytui.backends.kubernetes.raycluster import API as RAY_API
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.fleet import Fleet


class FleetWatch:
    """Three lists, each with its watch: RayClusters, their pods, and raytui's daemons.

    Thread-safe. Lists that have come in part are told already.
    """

    def __init__(self, access: Access, on_change: Callable[[], None] | None = None) -> None:
        """An access without a namespace is to all of them. `on_change` is called on threads."""
        session = KubeSession(access)
        namespace = access.namespace
        self._access = access
        clusters, pod_lists = _paths(namespace)
        self._clusters: Informer[FleetCluster] = Informer(
            session, clusters, keep=cluster_kept, on_change=on_change
        )
        self._pods: tuple[Informer[FleetPod], ...] = tuple(
            Informer(session, pod_lists, keep=pod_kept, on_change=on_change, labelSelector=which)
            for which in (RAY_PODS, DAEMON_PODS)
        )
        self._all: tuple[Informer[FleetCluster] | Informer[FleetPod], ...] = (
            self._clusters,
            *self._pods,
        )

    def start(self) -> None:
        """List and watch from now on."""
        for informer in self._all:
            informer.start()

    def fleet(self) -> Fleet:
        """How it is now."""
        kept = [pod for informer in self._pods for pod in informer.all().values()]
        return Fleet(
            context=self._access.context,
            namespace=self._access.namespace,
            rows=tuple(rows_of(self._clusters.all().values(), kept)),
            is_complete=all(informer.synced for informer in self._all),
            troubles=self._troubles(),
        )

    def close(self) -> None:
        """Watch no more."""
        for informer in self._all:
            informer.close()

    def _troubles(self) -> tuple[str, ...]:
        errors = [_told(one.error, self._access) for one in self._all if one.error]
        return tuple(dict.fromkeys(str(error) for error in errors))


def fleet_now(access: Access) -> Fleet:
    """All RayClusters as they are now, by one list of each kind.

    Pods that may not be listed are a trouble; raises ProviderError when RayClusters may not.
    """
    session = KubeSession(access)
    clusters_path, pods_path = _paths(access.namespace)
    try:
        clusters = [cluster_kept(one) for one in session.items(clusters_path)]
    except ProviderError as error:
        raise _told(error, access) from error
    kept: list[FleetPod] = []
    troubles = []
    for which in (RAY_PODS, DAEMON_PODS):
        try:
            kept += map(pod_kept, session.items(pods_path, labelSelector=which))
        except ProviderError as error:
            troubles.append(str(error))
    return Fleet(
        context=access.context,
        namespace=access.namespace,
        rows=tuple(rows_of(clusters, kept)),
        is_complete=True,
        troubles=tuple(dict.fromkeys(troubles)),
    )


def _paths(namespace: str) -> tuple[str, str]:
    """Where RayClusters are, and pods; of all namespaces without one."""
    inside = f"namespaces/{namespace}/" if namespace else ""
    return f"{RAY_API}/{inside}rayclusters", f"/api/v1/{inside}pods"


def _told(error: ProviderError, access: Access) -> ProviderError:
    if isinstance(error, NotFoundError):
        return no_kind(access)
    if isinstance(error, AuthError) and not access.namespace:
        return AuthError(f"{error} (-n NAMESPACE asks for one namespace only)")
    return error
