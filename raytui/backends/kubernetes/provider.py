"""Pods of a RayCluster as nodes: NodeProvider where KubeRay makes and deletes the pods."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.base import (
    CapacityError,
    ConfigError,
    LaunchRequest,
    PartialLaunchError,
    ProviderError,
    QuotaError,
    TransientError,
)
from raytui.backends.kubernetes import head_address
from raytui.backends.kubernetes import pods as pod_api
from raytui.backends.kubernetes.kuberay_resource import KubeRayResource
from raytui.backends.kubernetes.marks import OPERATOR
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.raycluster import Group, RayCluster, Scaling
from raytui.backends.kubernetes.session import KubeSession
from raytui.backends.kubernetes.sidecar import why_it_scales
from raytui.backends.kubernetes.wishes import Wish, Wishes
from raytui.backends.kubernetes.world import Deletions, World, deletions
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec, NodeType, Offering
from raytui.model.state import Instance

_QUOTA = ("exceeded quota", "maximum cpu usage", "maximum memory usage")
"""What KubeRay cites of a ResourceQuota or a LimitRange."""
_NEVER = ("denied the request", "is forbidden", "is invalid")
"""What it cites of admission and validation, which say the same the next time."""
_LOOK_EVERY_S = 0.5
_KNOWN = 10_000


class Patience(Struct, frozen=True):
    """How many seconds KubeRay may take."""

    pods_s: float = 30.0
    """To make the pods of a launch."""
    deletes_s: float = 45.0
    """To delete pods, which may first end what they run, before others of their group."""


class KubeRayProvider:
    """The pods of one RayCluster. Thread-safe: what a patch stands on is tested by the patch.

    A launch raises the `replicas` of a worker group by what KubeRay does not owe already, and waits
    for the pods; so a launch that is repeated, or made after one that brought nothing, asks for no
    more than is missing. What has been asked for is never taken back without naming pods
    (raycluster.py says why): pods that come late are listed with their request.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        paths: ClusterPaths,
        session: KubeSession,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spec = spec
        self._session = session
        self._resource = KubeRayResource(spec, session)
        self._patience = patience or Patience()
        self._wishes = Wishes(paths.dir / "kuberay_launches.json", clock)
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        """Requests whose launch calls are under way."""
        self._head: Pod | None = None
        self._listed: Mapping[str, Pod] | None = None
        """The newest listing."""
        self._known: dict[str, Pod] = {}
        """Every pod that was seen, as it was last; the oldest are forgotten."""
        self._told: dict[str, None] = {}
        """Pods that KubeRay was told to delete, or in place of which others were."""
        self._polling = threading.Lock()
        self._polled: dict[str, Pod] = {}
        self._polled_at = float("-inf")

    # NodeProvider.

    def list_instances(self) -> list[Instance]:
        """See NodeProvider; one request, or one for each 500 pods."""
        found = self._pods()
        self._remember(found)
        owners = self._hand_out(found)
        self._head = next((pod for pod in found.values() if pod.is_head), None)
        self._listed = found
        return [_owned(pod, owners) for pod in found.values()]

    def launch(self, request: LaunchRequest) -> list[Instance]:
        """See NodeProvider; of a multi-host group all pods of each replica.

        Ends within the patience that was given. A TransientError says what KubeRay has not done;
        what it does later is listed.
        """
        if request.is_head:
            raise ConfigError("KubeRay makes the head of a RayCluster, and only KubeRay")
        with self._under_way(request.request_id):
            refused = self._ask_for(request)
            return self._wait_for(request, refused)

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """See NodeProvider; of a multi-host group all pods of each replica.

        Where a pod has ended by itself and KubeRay has made another one, that one goes, unless Ray
        runs on it already. A TransientError names the pods that KubeRay has yet to delete before
        others of their group can go.
        """
        for _ in _tries(self._patience.deletes_s):
            world = self._look()
            owners = self._hand_out(world.pods)
            found = deletions(world, instance_ids, self._gone(world, instance_ids), owners)
            if found.scalings and not self._patched(world, found.scalings):
                continue
            self._told_to_go(found)
            if not found.waiting:
                break
        else:
            still = ", ".join(sorted(found.waiting)) or "what it was told to"
            raise TransientError(f"KubeRay has not deleted yet: {still}")
        if found.refused:
            raise found.refused[0]

    def offerings(self, node_type: NodeType) -> tuple[Offering, ...]:
        """See NodeProvider."""
        return node_type.offerings

    def reload(self, spec: ClusterSpec) -> None:
        """See NodeProvider."""
        self._spec = spec

    # HeadProvider, HeadMoves.

    def head_address(self) -> str:
        """See HeadProvider; by the newest listing."""
        return head_address.gcs(self._spec, self._head)

    def dashboard_url(self) -> str:
        """See HeadProvider; reachable from inside the Kubernetes cluster."""
        return head_address.dashboard(self._spec, self._head)

    def whereabouts(self) -> tuple[str, str]:
        """See HeadMoves."""
        return self.head_address(), self.dashboard_url()

    # OwnsItsInstances, ReplacesInstances, MayBeScaledByOthers, ReadsItsSpec.

    def is_ours(self, instance: Instance) -> bool:
        """See OwnsItsInstances: KubeRay makes pods for this cluster's groups and for no other."""
        return instance.node_type in self._spec.node_types

    def is_replaced(self, instance: Instance) -> bool:
        """See ReplacesInstances."""
        return True

    def why_only_watched(self) -> str:
        """See MayBeScaledByOthers."""
        head = self._head
        if head is not None and head.created_by == OPERATOR:
            return f"raytui's operator scales {self._spec.cluster_name}: command it there"
        return self._resource.why_only_watched() or why_it_scales(head)

    def read_spec(self) -> ClusterSpec:
        """See ReadsItsSpec."""
        return self._resource.read_spec()

    # Parts.

    def _ask_for(self, request: LaunchRequest) -> int:
        """Make KubeRay owe the pods that calls under way wait for; how many it may not have."""
        hindrance = ""
        for _ in _tries(self._patience.deletes_s):
            world = self._look()
            group = world.cluster.scalable(request.node_type)
            self._begin(request, world, group)
            short = self._waited_for(group) - world.owed(group)
            if short <= 0:
                return 0
            pending = world.pending_deletes(group)
            if pending:
                hindrance = f"it has not deleted {', '.join(sorted(pending))} yet"
                continue
            wanted = group.wanted_replicas + math.ceil(short / group.hosts)
            replicas = min(group.max_replicas, wanted)
            if request.all_or_nothing and replicas < wanted:
                raise CapacityError(f"{_limit(group)}: not all {request.count} can be had")
            asked = replicas > group.wanted_replicas
            if asked and not self._patched(world, [Scaling(group, replicas)]):
                hindrance = "its RayCluster changes all the time"
                continue
            return min(self._missing(request), (wanted - replicas) * group.hosts)
        raise TransientError(f"KubeRay was not asked for {request.node_type}: {hindrance}")

    def _begin(self, request: LaunchRequest, world: World, group: Group) -> None:
        """Note the request before anything is done for it; it may have pods from before.

        A pod that has come since the newest listing was not known to whoever asks for more.
        """
        mine = [pod.name for pod in world.pods.values() if pod.group == group.name]
        listed = self._listed
        before = mine if listed is None else [name for name in mine if name in listed]
        count = math.ceil(request.count / group.hosts) * group.hosts
        self._wishes.begin(request.request_id, group.name, count, before)
        self._hand_out(world.pods)

    def _wait_for(self, request: LaunchRequest, refused: int) -> list[Instance]:
        """The pods of a request; raises with those that came, and why the others did not."""
        for _ in _tries(self._patience.pods_s):
            self._hand_out(self._poll())
            if self._missing(request) <= refused:
                break
        world = self._look()
        wish = self._wishes.all()[request.request_id]
        came = [world.pods[name] for name in wish.given if name in world.pods]
        given = [
            replace(pod.instance, request_id=request.request_id) for pod in came if pod.is_there
        ]
        if len(given) == wish.count:
            return given
        cause = _why_missing(world.cluster, wish, refused) if wish.missing else self._ended(wish)
        if given and not request.all_or_nothing:
            raise PartialLaunchError(given, cause)
        if given and not isinstance(cause, TransientError):
            self.terminate([one.instance_id for one in given])
            raise CapacityError(str(cause))
        raise cause

    def _ended(self, wish: Wish) -> ProviderError:
        """Why pods that were made for a request are no more, as far as it was seen."""
        with self._lock:
            known = [self._known[name] for name in wish.given if name in self._known]
        seen = [pod.instance.obstacle for pod in known if pod.instance.obstacle is not None]
        said = seen[0].words if seen else "nothing was seen of why"
        error = TransientError(f"pods of {wish.group} ended as soon as they were made: {said}")
        error.kind = seen[0].kind if seen else error.kind
        return error

    @contextmanager
    def _under_way(self, request_id: str) -> Iterator[None]:
        with self._lock:
            self._waiting.add(request_id)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(request_id)

    def _waited_for(self, group: Group) -> int:
        """How many pods of a group the calls under way wait for."""
        with self._lock:
            waiting = set(self._waiting)
        wishes = [wish for name, wish in self._wishes.all().items() if name in waiting]
        return sum(wish.missing for wish in wishes if wish.group == group.name)

    def _missing(self, request: LaunchRequest) -> int:
        return self._wishes.all()[request.request_id].missing

    def _hand_out(self, pods: Mapping[str, Pod]) -> dict[str, str]:
        workers = [pod for pod in pods.values() if pod.is_there and not pod.is_head]
        workers.sort(key=lambda pod: (pod.instance.launched_at, pod.name))
        with self._lock:
            waiting = set(self._waiting)
        return self._wishes.hand_out([(pod.name, pod.group) for pod in workers], waiting)

    def _patched(self, world: World, scalings: Iterable[Scaling]) -> bool:
        """Whether it is done; not when somebody else has changed the RayCluster meanwhile."""
        return self._resource.patch(world.cluster, scalings)

    def _gone(self, world: World, asked: Iterable[str]) -> list[Pod]:
        """Those that are gone though nobody has told KubeRay to delete them, as far as is known."""
        with self._lock:
            return [
                self._known[name]
                for name in asked
                if name in self._known and name not in self._told and name not in world.pods
            ]

    def _told_to_go(self, found: Deletions) -> None:
        names = frozenset().union(found.replaced, *(one.to_delete for one in found.scalings))
        with self._lock:
            self._told.update(dict.fromkeys(names))
            _forget(self._told)

    def _remember(self, pods: Mapping[str, Pod]) -> None:
        with self._lock:
            self._known = {**self._known, **pods}
            _forget(self._known)

    def _look(self) -> World:
        world = World(self._resource.read(), self._pods())
        self._remember(world.pods)
        return world

    def _poll(self) -> dict[str, Pod]:
        """The pods of not long ago: all calls that wait for some ask together."""
        with self._polling:
            now = time.monotonic()
            if now - self._polled_at >= _LOOK_EVERY_S:
                self._polled, self._polled_at = self._pods(), now
            return self._polled

    def _pods(self) -> dict[str, Pod]:
        found = self._session.items(
            pod_api.path_of(self._resource.namespace),
            labelSelector=pod_api.selector_of(self._spec.cluster_name),
        )
        return {pod.name: pod for pod in map(pod_api.pod_of, found)}


def _tries(seconds: float) -> Iterator[None]:
    """Try for so long, at least once."""
    until = time.monotonic() + seconds
    yield
    while time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
        yield


def _forget(known: dict[str, Any]) -> None:
    for oldest in list(known)[:-_KNOWN]:
        del known[oldest]


def _owned(pod: Pod, owners: Mapping[str, str]) -> Instance:
    return replace(pod.instance, request_id=owners.get(pod.name, ""))


def _limit(group: Group) -> str:
    return f"maxReplicas of {group.name} is {group.max_replicas}"


def _why_missing(cluster: RayCluster, wish: Wish, refused: int) -> ProviderError:
    """Why a request did not get all its pods."""
    group = cluster.groups.get(wish.group)
    if refused >= wish.missing and group is not None:
        return QuotaError(_limit(group))
    said = cluster.failure or "it does not say why"
    words = f"KubeRay has made {len(wish.given)} of {wish.count} pods of {wish.group}: {said}"
    if any(word in said for word in _QUOTA):
        return QuotaError(words)
    if any(word in said for word in _NEVER):
        return ConfigError(words)
    return TransientError(words)
