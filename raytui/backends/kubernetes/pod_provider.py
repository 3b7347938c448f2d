"""Pods of a RayCluster as nodes: NodeProvider where raytui makes and deletes the pods itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.base import (
    AuthError,
    CapacityError,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    ProviderError,
    TransientError,
)
from raytui.backends.kubernetes import head_address
from raytui.backends.kubernetes.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    UnknownUserError,
)
from raytui.backends.kubernetes.marks import OPERATOR
from raytui.backends.kubernetes.objects import (
    DOMAIN,
    WorkerName,
    head_pod,
    worker_pod,
    workers_of,
)
from raytui.backends.kubernetes.objects.names import group_of
from raytui.backends.kubernetes.pod_store import PodStore
from raytui.backends.kubernetes.pods import Pod, path_of
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.model.lifecycle import InstanceStatus
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance

_TORN = "not all hosts of its replica are there"
_AT_ONCE = 8
_TRIES = 3
_KNOWN = 10_000
_MAY_NOT = "cannot create resource"
"""RBAC's words in a 403; all other words are those of who looks at what is to be made."""


class _Made(Struct, frozen=True):
    """What became of pods that were to be made."""

    pods: tuple[Pod, ...] = ()
    error: ProviderError | None = None


class PodProvider:
    """The pods of one RayCluster. Thread-safe.

    The name of a worker's pod follows from its launch request, so a request that is repeated finds
    its pods whatever happened before; nothing is kept on disk. What there is tells the store, whose
    one watch serves all clusters.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        session: KubeSession,
        namespace: str,
        *,
        pods: PodStore,
        domain: str = DOMAIN,
    ) -> None:
        """The spec is one that the API server has given: with the resource and its uid."""
        self._spec = spec
        self._session = session
        self._namespace = namespace
        self._store = pods
        self._domain = domain
        self._lock = threading.Lock()
        self._made: dict[str, None] = {}
        """Names of pods that were there once; the oldest are forgotten."""
        self._making: set[str] = set()
        """Multi-host replicas of which hosts are made just now."""

    # NodeProvider.

    def list_instances(self) -> list[Instance]:
        """See NodeProvider; nobody is asked, the watch tells.

        What is left of a multi-host replica counts as lost: its hosts live and die together.
        """
        pods = self._pods()
        torn = self._torn(pods)
        return [
            replace(pod.instance, status=InstanceStatus.LOST, detail=pod.instance.detail or _TORN)
            if pod.replica in torn and pod.is_there
            else pod.instance
            for pod in pods
        ]

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """See NodeProvider; of a multi-host group all pods of each replica.

        The first pod is made alone, then twice as many at once, until one is refused: what is
        refused once is not asked for a hundred times.
        """
        if request.is_head:
            made = self._created(head_pod(self._resource, domain=self._domain))
            return [made.instance]
        group = group_of(self._resource, request.node_type)
        if group is None:
            raise ConfigError(f"{self._spec.cluster_name} has no group {request.node_type}")
        there = {pod.name: pod for pod in self._pods()}
        workers = workers_of(
            self._resource, group, request.request_id, request.count, _taken(there, request)
        )
        mine = [there[worker.name] for worker in workers if worker.name in there]
        found = self._make_replicas(
            request.node_type, [one for one in workers if self._is_new(one, there)]
        )
        came = [pod for pod in (*mine, *found.pods) if pod.is_there]
        if found.error is None:
            return [pod.instance for pod in came]
        if request.all_or_nothing:
            self._take_back(came)
            raise _for_none(found.error)
        if came:
            raise PartialLaunchError([pod.instance for pod in came], found.error)
        raise found.error

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """See NodeProvider; of a multi-host group all pods of each replica."""
        pods, asked = self._pods(), set(instance_ids)
        replicas = {pod.replica for pod in pods if pod.name in asked and pod.replica}
        self._delete(pod for pod in pods if pod.name in asked or pod.replica in replicas)

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """See NodeProvider."""
        return node_type.offerings

    def reload(self, spec: ClusterSpec) -> None:
        """See NodeProvider."""
        self._spec = spec

    # HeadProvider.

    def head_address(self) -> str:
        """See HeadProvider."""
        return head_address.gcs(self._spec, self._head())

    def dashboard_url(self) -> str:
        """See HeadProvider; reachable from inside the Kubernetes cluster."""
        return head_address.dashboard(self._spec, self._head())

    # HeadMoves, OwnsItsInstances.

    def whereabouts(self) -> tuple[str, str]:
        """See HeadMoves."""
        return self.head_address(), self.dashboard_url()

    def is_ours(self, instance: Instance) -> bool:
        """See OwnsItsInstances: an operator that was started anew knows of no launch."""
        return not instance.is_head

    # Parts.

    @property
    def _resource(self) -> Json:
        found: dict[str, Any] = self._spec.provider.options["resource"]
        meta = {**found["metadata"], "namespace": self._namespace}
        return {**found, "metadata": meta}

    def _pods(self) -> list[Pod]:
        return self._own(self._store.of(self._namespace, self._spec.cluster_name))

    def _own(self, pods: Iterable[Pod]) -> list[Pod]:
        """Not those of a RayCluster that had the same name, which go with that one."""
        uid = self._resource["metadata"]["uid"]
        return [pod for pod in pods if pod.created_by == OPERATOR and pod.owner == uid]

    def _torn(self, pods: Iterable[Pod]) -> frozenset[str]:
        """Multi-host replicas that do not have all their hosts, and that nobody is making."""
        with self._lock:
            making = set(self._making)
        hosts = Counter(pod.replica for pod in pods if pod.replica and pod.is_there)
        wanted = {pod.replica: self._hosts_of(pod.group) for pod in pods}
        return frozenset(
            name for name, count in hosts.items() if count < wanted[name] and name not in making
        )

    def _hosts_of(self, name: str) -> int:
        group = group_of(self._resource, name) or {}
        return int(group.get("numOfHosts") or 1)

    def _head(self) -> Pod | None:
        known = self._own(self._store.known(self._namespace, self._spec.cluster_name))
        return next((pod for pod in known if pod.is_head and pod.is_there), None)

    def _is_new(self, worker: WorkerName, there: dict[str, Pod]) -> bool:
        """Whether a pod was not made before, even one that is gone: no launch brings more of it."""
        with self._lock:
            return worker.name not in there and worker.name not in self._made

    def _make_replicas(self, group: str, workers: Sequence[WorkerName]) -> _Made:
        """Make pods until something stands in the way, by replicas, ever more of them at once."""
        replicas = [list(some) for _, some in groupby(workers, key=lambda one: one.replica_index)]
        made: list[Pod] = []
        width = 1
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while replicas:
                batch, replicas = replicas[:width], replicas[width:]
                results = list(pool.map(lambda one: self._make_replica(group, one), batch))
                made += [pod for result in results for pod in result.pods]
                if error := next((one.error for one in results if one.error is not None), None):
                    return _Made(tuple(made), error)
                width = min(_AT_ONCE, width * 2)
        return _Made(tuple(made))

    def _make_replica(self, group: str, workers: Sequence[WorkerName]) -> _Made:
        """All pods of a replica, or none."""
        made: list[Pod] = []
        with self._is_making(workers[0].replica):
            try:
                for worker in workers:
                    body = worker_pod(self._resource, group, worker, domain=self._domain)
                    made.append(self._created(body))
            except ProviderError as error:
                self._take_back(made)
                return _Made(error=error)
        return _Made(tuple(made))

    @contextmanager
    def _is_making(self, replica: str) -> Iterator[None]:
        with self._lock:
            self._making.add(replica)
        try:
            yield
        finally:
            with self._lock:
                self._making.discard(replica)

    def _created(self, body: Json) -> Pod:
        """A pod that is there when this returns; one that was there before is what is meant."""
        path, name = path_of(self._namespace), body["metadata"]["name"]
        for attempt in range(1, _TRIES + 1):
            try:
                made = self._store.put(self._session.create(path, body))
            except AlreadyExistsError:
                made = self._found(name)
            except AuthError as error:
                raise _refused(error) from error
            except TransientError:  # whether it was made, the next try tells
                if attempt == _TRIES:
                    raise
                continue
            with self._lock:
                self._made[made.name] = None
                for oldest in list(self._made)[:-_KNOWN]:
                    del self._made[oldest]
            return made
        raise AssertionError("there is at least one try")

    def _found(self, name: str) -> Pod:
        try:
            pod = self._store.put(self._session.get(path_of(self._namespace, name)))
        except NotFoundError as error:
            raise TransientError(f"pod {name} was there, and has gone meanwhile") from error
        if not self._own([pod]):
            raise ConfigError(f"pod {name} is there, and is not of {self._spec.cluster_name}")
        if pod.is_leaving:
            raise TransientError(f"a pod {name} is there that has yet to end")
        return pod

    def _take_back(self, pods: Sequence[Pod]) -> None:
        """Delete what is of no use, as if it had never been asked for."""
        with self._lock:
            for pod in pods:
                self._made.pop(pod.name, None)
        self._delete(pods)

    def _delete(self, pods: Iterable[Pod]) -> None:
        """Delete all of them; raises the first error when all were tried."""
        there = [pod for pod in pods if not pod.is_leaving]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            errors = list(pool.map(self._deleted, there))
        if error := next((one for one in errors if one is not None), None):
            raise error

    def _deleted(self, pod: Pod) -> ProviderError | None:
        try:
            answer = self._session.delete(path_of(self._namespace, pod.name), uid=pod.uid)
        except (NotFoundError, ConflictError):  # it is gone, though another one may have its name
            return None
        except ProviderError as error:
            return error
        meta = answer.get("metadata") or {}
        if meta.get("uid") == pod.uid:
            is_gone = not meta.get("deletionGracePeriodSeconds") and not meta.get("finalizers")
            (self._store.forget if is_gone else self._store.put)(answer)
        return None


def _taken(there: dict[str, Pod], request: LaunchRequest) -> frozenset[int]:
    """The places of replicas that other requests have."""
    return frozenset(
        pod.replica_index
        for pod in there.values()
        if pod.group == request.node_type
        and pod.replica_index is not None
        and pod.instance.request_id != request.request_id
    )


def _refused(error: AuthError) -> ProviderError:
    """A 403 as it is meant: what is asked for is refused to everybody, or to us."""
    if isinstance(error, UnknownUserError) or _MAY_NOT in str(error):
        return error
    return ConfigError(str(error), detail=error.detail)


def _for_none(error: ProviderError) -> ProviderError:
    """Why a request got nothing, of which less than all is of no use."""
    return error if isinstance(error, TransientError) else CapacityError(str(error))
