"""The RayCluster that KubeRay follows: read, patched, and whether raytui may scale it now."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from msgspec.structs import replace

from raytui.backends.base import AuthError, ProviderError
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.errors import ConflictError, NotFoundError
from raytui.backends.kubernetes.manifest import spec_of
from raytui.backends.kubernetes.raycluster import RayCluster, Scaling
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.model.spec import ClusterSpec, ProviderSpec

_INSTALL = "`raytui k8s install {name}` makes a Role that has it"


class KubeRayResource:
    """One RayCluster, as one user. Thread-safe.

    What stands in the way of scaling is kept from call to call: `why_only_watched` asks nobody.
    """

    def __init__(self, spec: ClusterSpec, session: KubeSession) -> None:
        """A spec that the API server has given tells how the resource is; another one does not."""
        self._session = session
        options = spec.provider.options
        self._name = spec.cluster_name
        known = options.get("resource") or {}
        self._way = {key: value for key, value in options.items() if key != "resource"}
        self._lock = threading.Lock()
        is_given = "resourceVersion" in known.get("metadata", {})
        self._newest = cluster_api.read(known) if is_given else None
        self._hindrances: dict[str, str] = {}
        """By verb: why the user may not, in a sentence with what to do."""
        self._may_patch = False
        """As far as is known."""

    @property
    def namespace(self) -> str:
        """Where it is."""
        return str(self._way.get("namespace") or self._session.namespace)

    def read(self) -> RayCluster:
        """It now; raises ProviderError."""
        return self._read()[0]

    def read_spec(self) -> ClusterSpec:
        """What it says the cluster is to be, without the manifest; raises ConfigErrors, too.

        Until it is known that the user may change it, a patch that changes nothing is tried.
        """
        _, resource = self._read()
        if not self._may_patch:
            self._try_to_patch()
        return replace(spec_of(resource), provider=ProviderSpec("kuberay", self._way))

    def patch(self, cluster: RayCluster, scalings: Iterable[Scaling]) -> bool:
        """Scale it, as it was read; False when somebody else has changed it meanwhile.

        Raises ProviderError.
        """
        try:
            self._patch(cluster_api.patch(cluster, scalings))
        except ConflictError:
            return False
        return True

    def why_only_watched(self) -> str:
        """Why raytui may not scale it now, and what to do; empty when it may."""
        with self._lock:
            hindrances, newest = dict(self._hindrances), self._newest
        if hindrances:
            return "; ".join(hindrances.values())
        return newest.not_ours if newest is not None else ""

    # Parts.

    def _read(self) -> tuple[RayCluster, Json]:
        path = cluster_api.path_of(self.namespace, self._name)
        try:
            resource = self._session.get(path)
        except NotFoundError:
            self._hinder("get", f"there is no RayCluster {self.namespace}/{self._name}")
            raise
        except AuthError as error:
            self._hinder("get", self._forbidden("read", "get", error))
            raise
        cluster = cluster_api.read(resource)
        with self._lock:
            self._newest = cluster
            self._hindrances.pop("get", None)
        return cluster, resource

    def _try_to_patch(self) -> None:
        # It is only tried: what goes wrong otherwise, the next real patch tells.
        nothing = [{"op": "test", "path": "/metadata/name", "value": self._name}]
        try:
            self._patch(nothing, dryRun="All")
        except ProviderError:
            return

    def _patch(self, operations: list[Json], **query: str) -> None:
        path = cluster_api.path_of(self.namespace, self._name)
        manager = cluster_api.FIELD_MANAGER
        try:
            self._session.patch(path, operations, fieldManager=manager, **query)
        except AuthError as error:
            self._hinder("patch", self._forbidden("scale", "patch", error))
            raise
        with self._lock:
            self._may_patch = True
            self._hindrances.pop("patch", None)

    def _hinder(self, verb: str, words: str) -> None:
        with self._lock:
            self._hindrances[verb] = words
            self._may_patch = self._may_patch and verb != "patch"

    def _forbidden(self, what: str, verb: str, error: AuthError) -> str:
        install = _INSTALL.format(name=self._name)
        return (
            f"raytui may not {what} RayCluster {self.namespace}/{self._name} ({error}): it needs "
            f"the verb {verb} on rayclusters.ray.io; {install}"
        )
