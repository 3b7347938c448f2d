"""RayClusters and pods as a list shows them: what is kept of each, and the rows that they make."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from raytui.backends.kubernetes import pods
from raytui.backends.kubernetes.group_resources import resources_of
from raytui.backends.kubernetes.manifest_schema import ANNOTATION
from raytui.backends.kubernetes.marks import CREATED_BY, DAEMON_OF, FINALIZER, OPERATOR
from raytui.backends.kubernetes.raycluster import HEAD_GROUP, read
from raytui.backends.kubernetes.summary import Summary, summary_of
from raytui.config.kinds import Invalid
from raytui.config.problems import Problems
from raytui.config.schema import RAYTUI
from raytui.config.yaml_compose import compose
from raytui.model.fleet import FleetRow, FleetState, ScaledBy
from raytui.model.resources import Resources
from raytui.model.text import first_line

RAY_PODS = f"{pods.CLUSTER},{pods.KIND} in (head,worker)"
"""Picks the Ray nodes of all clusters among all pods."""
DAEMON_PODS = DAEMON_OF
"""Picks the daemons that drive one RayCluster each."""

_NOTHING = Resources()


class FleetCluster(Struct, frozen=True):
    """What a list keeps of a RayCluster."""

    namespace: str
    name: str
    created_at: float
    workers: int
    """How many are to be."""
    is_suspended: bool = False
    is_leaving: bool = False
    is_autoscaled: bool = False
    """Its manifest asks for an autoscaler."""
    is_operated: bool = False
    """raytui's operator drives it."""
    state: str = ""
    """`ready`, `failed` or `suspended`, as its status says."""
    failure: str = ""
    resources: tuple[tuple[str, Resources], ...] = ()
    """By group: what each of its nodes has."""
    prices: tuple[tuple[str, float], ...] = ()
    """By group: USD per hour and node."""
    summary: Summary | None = None
    """What its driver has said last."""


class FleetPod(Struct, frozen=True):
    """What a list keeps of a pod: a Ray node, or the daemon of a cluster."""

    namespace: str
    cluster: str
    group: str
    created_by: str
    is_head: bool
    is_daemon: bool
    is_there: bool
    """It is not leaving and has not ended."""
    is_running: bool
    """All its containers are ready."""
    detail: str = ""
    """What it waits for, or how it ended, in Kubernetes' words."""


def cluster_kept(resource: Mapping[str, Any]) -> FleetCluster:
    """What a list keeps of a RayCluster of the API server's."""
    meta, spec = resource["metadata"], resource["spec"]
    status = resource.get("status") or {}
    cluster = read(resource)
    groups = {group["groupName"]: group for group in spec.get("workerGroupSpecs") or ()}
    groups[HEAD_GROUP] = spec.get("headGroupSpec") or {}
    is_operated = FINALIZER in (meta.get("finalizers") or ())
    stated = sum(group.wanted for group in cluster.groups.values() if not group.is_suspended)
    told = status.get("desiredWorkerReplicas") if is_operated else None
    config = (meta.get("annotations") or {}).get(ANNOTATION, "")
    return FleetCluster(
        namespace=sys.intern(meta["namespace"]),
        name=meta["name"],
        created_at=pods.unix_seconds(meta.get("creationTimestamp")),
        workers=stated if told is None else told,
        is_suspended=cluster.is_suspended,
        is_leaving="deletionTimestamp" in meta,
        is_autoscaled=cluster.is_autoscaled,
        is_operated=is_operated,
        state=str(status.get("state") or ""),
        failure=cluster.failure or str(status.get("reason") or ""),
        resources=tuple((name, _resources(group)) for name, group in groups.items()),
        prices=_prices(config) if config else (),
        summary=summary_of(resource),
    )


def pod_kept(resource: Mapping[str, Any]) -> FleetPod:
    """What a list keeps of a pod that `RAY_PODS` or `DAEMON_PODS` picks."""
    labels = resource["metadata"].get("labels") or {}
    status = resource.get("status") or {}
    pod = pods.pod_of(resource)
    containers = status.get("containerStatuses") or ()
    return FleetPod(
        namespace=sys.intern(pod.namespace),
        cluster=sys.intern(labels.get(DAEMON_OF) or pod.cluster),
        group=sys.intern(pod.group),
        created_by=sys.intern(labels.get(CREATED_BY, "")),
        is_head=pod.is_head,
        is_daemon=DAEMON_OF in labels,
        is_there=pod.is_there,
        is_running=(
            pod.is_there
            and status.get("phase") == "Running"
            and all(one.get("ready") for one in containers)
        ),
        detail=pod.instance.detail,
    )


def rows_of(clusters: Iterable[FleetCluster], kept: Iterable[FleetPod]) -> list[FleetRow]:
    """A row for each cluster, by namespace and name."""
    of_cluster: dict[tuple[str, str], list[FleetPod]] = defaultdict(list)
    for pod in kept:
        of_cluster[pod.namespace, pod.cluster].append(pod)
    rows = [row_of(one, of_cluster.get((one.namespace, one.name), ())) for one in clusters]
    return sorted(rows, key=lambda row: (row.namespace, row.name))


def row_of(cluster: FleetCluster, kept: Sequence[FleetPod]) -> FleetRow:
    """A cluster and its pods, in a row."""
    nodes = [pod for pod in kept if not pod.is_daemon]
    running = [pod for pod in nodes if pod.is_running]
    scaled_by = scaler_of(cluster, kept)
    is_told = scaled_by in (ScaledBy.OPERATOR, ScaledBy.DAEMON) or cluster.is_operated
    said = cluster.summary if is_told else None
    return FleetRow(
        namespace=cluster.namespace,
        name=cluster.name,
        state=_state(cluster, nodes),
        running=len(running),
        desired=0 if cluster.is_suspended else cluster.workers + 1,
        total=_total(cluster, running),
        demand=said.demand if said else None,
        cost_per_hour=_cost(cluster, nodes, said),
        created_at=cluster.created_at,
        scaled_by=scaled_by,
        trouble=first_line(_trouble(cluster, nodes, said)),
    )


def scaler_of(cluster: FleetCluster, kept: Iterable[FleetPod]) -> ScaledBy:
    """Who decides how many nodes a cluster has."""
    is_operated = cluster.is_operated
    for pod in kept:
        if pod.is_daemon and pod.is_there:
            return ScaledBy.DAEMON
        is_operated = is_operated or pod.created_by == OPERATOR
    if not cluster.is_autoscaled:
        return ScaledBy.NOBODY
    return ScaledBy.OPERATOR if is_operated else ScaledBy.RAY


def _state(cluster: FleetCluster, nodes: Iterable[FleetPod]) -> FleetState:
    if cluster.is_leaving:
        return FleetState.LEAVING
    if cluster.is_suspended:
        return FleetState.SUSPENDED
    if cluster.state == "failed":
        return FleetState.FAILED
    has_head = any(pod.is_head and pod.is_running for pod in nodes)
    return FleetState.READY if has_head else FleetState.STARTING


def _trouble(cluster: FleetCluster, nodes: Iterable[FleetPod], said: Summary | None) -> str:
    """What most needs a person: the cluster itself, its head, what its driver says, a worker."""
    if cluster.failure:
        return cluster.failure
    stuck = sorted(
        (pod for pod in nodes if pod.detail and not pod.is_running), key=lambda pod: not pod.is_head
    )
    if stuck and stuck[0].is_head:
        return f"head: {stuck[0].detail}"
    if said and said.trouble:
        return said.trouble
    return f"{stuck[0].group}: {stuck[0].detail}" if stuck else ""


def _total(cluster: FleetCluster, running: Iterable[FleetPod]) -> Resources:
    of_group = dict(cluster.resources)
    units: dict[str, int] = defaultdict(int)
    for pod in running:
        for name, amount in of_group.get(pod.group, _NOTHING).items():
            units[name] += amount
    return Resources(units)


def _cost(cluster: FleetCluster, nodes: Iterable[FleetPod], said: Summary | None) -> float | None:
    """USD per hour of the pods that are there; None when no price is known."""
    of_group = dict(cluster.prices)
    if not of_group:
        return said.cost_per_hour if said else None
    return round(sum(of_group.get(pod.group, 0.0) for pod in nodes if pod.is_there), 6)


def _resources(group: dict[str, Any]) -> Resources:
    """What a node of a group has; nothing where that cannot be read."""
    try:
        return Resources.of(resources_of(group, (), Problems("")))
    except (KeyError, IndexError, TypeError, AttributeError):
        return _NOTHING


@lru_cache(maxsize=4096)
def _prices(config: str) -> tuple[tuple[str, float], ...]:
    """By group: the lowest price that the annotation has, as what a plan takes; it may be bad."""
    problems = Problems("")
    root = compose(config, problems)
    found = RAYTUI.read(root, (), problems) if root is not None else {}
    if isinstance(found, Invalid) or problems:
        return ()
    prices = []
    for name, priced in (found.get("node_types") or {}).items():
        own = priced.get("price_per_hour")
        ways: Sequence[dict[str, Any]] = priced.get("offerings") or ({},)
        offered = [way.get("price_per_hour", own) for way in ways]
        known = [float(price) for price in offered if price is not None]
        if known:
            prices.append((name, min(known)))
    return tuple(prices)
