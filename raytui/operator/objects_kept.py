"""The objects of one RayCluster in the API server: read, made, marked, and taken away again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from raytui.backends.base import AuthError, ConfigError
from raytui.backends.kubernetes import pods as pod_api
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.errors import AlreadyExistsError, ConflictError, NotFoundError
from raytui.backends.kubernetes.marks import FINALIZER, OPERATOR
from raytui.backends.kubernetes.objects import head_pod
from raytui.backends.kubernetes.pod_store import PodStore
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.operator.companions import (
    companions,
    folder_of,
    is_owned,
    path_of,
    refusal,
    traces,
)

_LOOK_AGAIN_S = 120.0
"""How soon a service that somebody has deleted is made again."""


class Objects:
    """Every method is a few requests, and raises ProviderError as KubeSession does.

    A RayCluster that was deleted and made anew under its name is another one: its uid is tested.
    """

    def __init__(self, resource: Json, session: KubeSession, pods: PodStore) -> None:
        meta = resource["metadata"]
        self.name = str(meta["name"])
        self.namespace = str(meta["namespace"])
        self.uid = str(meta["uid"])
        self._session = session
        self._pods = pods
        self._path = cluster_api.path_of(self.namespace, self.name)
        self._lock = threading.Lock()
        self._newest = resource
        self._looked_for: int | None = None
        self._looked_at = float("-inf")
        self.service: Json | None = None
        """The head's."""

    # The RayCluster.

    @property
    def resource(self) -> Json:
        """The newest version of it that is known."""
        with self._lock:
            return self._newest

    def take(self, resource: Json) -> None:
        """Take in a version of it, unless a newer one is known."""
        with self._lock:
            if _version(resource) > _version(self._newest):
                self._newest = resource

    def look(self) -> None:
        """Read it anew; raises NotFoundError when it is gone, even if there is one of its name."""
        found = self._session.get(self._path)
        if found["metadata"]["uid"] != self.uid:
            raise NotFoundError(f"{self.name} was deleted, and made anew")
        self.take(found)

    def hold(self, judged: Json) -> None:
        """Have the RayCluster wait for us when it is deleted, as long as it is as it was judged."""
        finalizers = judged["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            self._patch([_add("/metadata/finalizers", [*finalizers, FINALIZER])], judged)

    def let_go(self) -> None:
        """Have it wait no longer."""
        finalizers = self.resource["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            left = [name for name in finalizers if name != FINALIZER]
            self._patch([_add("/metadata/finalizers", left)])

    def annotate(self, changes: Mapping[str, str]) -> None:
        """Write annotations; an empty one is taken away."""
        before = self.resource["metadata"].get("annotations") or {}
        after = {key: text for key, text in {**before, **changes}.items() if text}
        if after != before:
            self._patch([_add("/metadata/annotations", after)])

    def write_status(self, status: Json) -> None:
        """Write the status, if it is another than the resource has."""
        if status != (self.resource.get("status") or {}):
            operations = [_test("/metadata/uid", self.uid), _add("/status", status)]
            self.take(self._session.patch(f"{self._path}/status", operations))

    # What belongs to it.

    def ensure_companions(self, resource: Json) -> None:
        """Have services and what else is needed there; looked for anew when it is time."""
        generation = resource["metadata"].get("generation")
        age_s = time.monotonic() - self._looked_at
        if generation == self._looked_for and age_s < _LOOK_AGAIN_S:
            return
        first, *others = companions(resource)
        for one in (first, *others):
            try:
                found = self._created(folder_of(one), one) or self._session.get(path_of(one))
            except AuthError as error:
                raise refusal(error, folder_of(one)) from None
            self.service = found if one is first else self.service
        self._looked_for, self._looked_at = generation, time.monotonic()

    def create_head(self, resource: Json) -> bool:
        """Make the head's pod; whether there was none."""
        made = self._created(pod_api.path_of(self.namespace), head_pod(resource))
        if made is not None:
            self._pods.put(made)
        return made is not None

    def pods(self) -> list[Pod]:
        """Its Ray nodes as the API server has them now, whoever has made them."""
        selector = pod_api.selector_of(self.name)
        found = self._session.items(pod_api.path_of(self.namespace), labelSelector=selector)
        return [pod_api.pod_of(one) for one in found]

    def delete(self, pod: Pod) -> None:
        """Delete a pod, if it is the one that is meant."""
        with suppress(NotFoundError, ConflictError):
            self._session.delete(pod_api.path_of(self.namespace, pod.name), uid=pod.uid)

    def clear(self, left: Callable[[str], None]) -> bool:
        """Delete all that was made for the RayCluster and let it go; False when more must go.

        A pod that was told to go does so by itself, however long its machine takes. What else may
        not be deleted goes by its ownerReferences: `left` is told why.
        """
        ours = [pod for pod in self.pods() if pod.created_by == OPERATOR]
        staying = [pod for pod in ours if not pod.is_leaving]
        for pod in staying:
            self.delete(pod)
        for path in traces(self.resource):
            self._delete_companion(path, left)
        if staying:
            return False
        with suppress(NotFoundError):
            self.let_go()
        return True

    # Parts.

    def _created(self, path: str, body: Json) -> Json | None:
        """The object that was made; None when one of its name is there."""
        try:
            return self._session.create(path, body)
        except AlreadyExistsError:
            return None

    def _delete_companion(self, path: str, left: Callable[[str], None]) -> None:
        try:
            found = self._session.get(path)
            if is_owned(found, self.uid):
                self._session.delete(path, uid=found["metadata"]["uid"])
        except (NotFoundError, ConflictError):
            return
        except AuthError as error:
            left(str(refusal(error, path)))
        except ConfigError as error:
            left(str(error))

    def _patch(self, operations: list[Json], of: Json | None = None) -> None:
        version = (of or self.resource)["metadata"]["resourceVersion"]
        tests = [_test("/metadata/uid", self.uid), _test("/metadata/resourceVersion", version)]
        manager = cluster_api.FIELD_MANAGER
        self.take(self._session.patch(self._path, [*tests, *operations], fieldManager=manager))


def _version(resource: Json) -> int:
    return int(resource["metadata"]["resourceVersion"])


def _test(path: str, value: object) -> Json:
    return {"op": "test", "path": path, "value": value}


def _add(path: str, value: object) -> Json:
    return {"op": "add", "path": path, "value": value}
