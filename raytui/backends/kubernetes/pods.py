"""Ray's pods as instances: how far each has come, in Kubernetes' own words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from raytui.backends.kubernetes.marks import CREATED_BY, REQUEST, TEMPLATE_HASH
from raytui.backends.kubernetes.pod_failures import detail_of, obstacle_of
from raytui.model.lifecycle import InstanceStatus
from raytui.model.state import Instance

CLUSTER = "ray.io/cluster"
KIND = "ray.io/node-type"
GROUP = "ray.io/group"
REPLICA = "ray.io/worker-group-replica-name"
"""Of pods of a multi-host group: which of them are one replica."""
REPLICA_INDEX = "ray.io/worker-group-replica-index"
HOST_INDEX = "ray.io/replica-host-index"
_KINDS = ("head", "worker")
ALL_RAY_PODS = f"{CLUSTER},{KIND} in ({','.join(_KINDS)})"
"""What picks the Ray nodes of all clusters among all pods."""
_ENDED = ("Failed", "Succeeded")
_AUTOSCALER = "autoscaler"
"""KubeRay's name of the container in which Ray's own one runs."""

_S = InstanceStatus


class Pod(Struct, frozen=True):
    """A pod that is, or is to be, a Ray node."""

    name: str
    group: str
    is_head: bool
    is_leaving: bool
    """Kubernetes was told to delete it."""
    has_ended: bool
    """Its containers have, for good; KubeRay deletes it and makes another one."""
    replica: str
    instance: Instance
    namespace: str = ""
    cluster: str = ""
    uid: str = ""
    owner: str = ""
    """The uid of the RayCluster that it is of: another one may have had the same name."""
    replica_index: int | None = None
    """The place of its replica among those of its group, where whoever made it gives places."""
    created_by: str = ""
    """`marks.KUBERAY`, `marks.OPERATOR`, or what else its label says."""
    template_hash: str = ""
    """Of what its group said when raytui's operator made it."""
    is_ready: bool = False
    """Its readiness probes say so."""
    has_autoscaler: bool = False
    """It is a head with Ray's own autoscaler beside Ray."""

    @property
    def is_there(self) -> bool:
        """Whether it counts as one of its group's replicas."""
        return not self.is_leaving and not self.has_ended


def path_of(namespace: str, name: str = "") -> str:
    """Where pods are, or one of them."""
    return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")


def selector_of(cluster: str) -> str:
    """What picks the Ray nodes of a cluster among all pods."""
    return f"{CLUSTER}={cluster},{KIND} in ({','.join(_KINDS)})"


def pod_of(resource: Mapping[str, Any]) -> Pod:
    """A Ray pod of an answer of the API server."""
    meta, status = resource["metadata"], resource.get("status") or {}
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    is_leaving = bool(meta.get("deletionTimestamp"))
    has_ended = status.get("phase") in _ENDED
    started_at = _ray_started_at(resource)
    instance = Instance(
        instance_id=meta["name"],
        node_type=labels.get(GROUP, ""),
        status=_status(resource, is_leaving=is_leaving, has_ended=has_ended),
        is_head=labels.get(KIND) == "head",
        ip=status.get("podIP") or "",
        launched_at=unix_seconds(meta.get("creationTimestamp")),
        detail=detail_of(resource),
        obstacle=obstacle_of(resource),
        ray_started_at=started_at,
        request_id=notes.get(REQUEST, ""),
    )
    return Pod(
        name=instance.instance_id,
        group=instance.node_type,
        is_head=instance.is_head,
        is_leaving=is_leaving,
        has_ended=has_ended,
        replica=labels.get(REPLICA, ""),
        instance=instance,
        namespace=meta.get("namespace", ""),
        cluster=labels.get(CLUSTER, ""),
        uid=meta.get("uid", ""),
        owner=_owner(meta),
        replica_index=_number(labels.get(REPLICA_INDEX, "")),
        created_by=labels.get(CREATED_BY, ""),
        template_hash=notes.get(TEMPLATE_HASH, ""),
        is_ready=not is_leaving and _is_ready(status),
        has_autoscaler=instance.is_head and _has_autoscaler(resource),
    )


def _has_autoscaler(resource: Mapping[str, Any]) -> bool:
    containers = resource.get("spec", {}).get("containers") or ()
    return any(one.get("name") == _AUTOSCALER for one in containers)


def _owner(meta: Mapping[str, Any]) -> str:
    owners = meta.get("ownerReferences") or ()
    return next((str(one["uid"]) for one in owners if one.get("kind") == "RayCluster"), "")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _is_ready(status: Mapping[str, Any]) -> bool:
    conditions = status.get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def unix_seconds(text: str | None) -> float:
    """A time as Kubernetes writes it; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _status(resource: Mapping[str, Any], *, is_leaving: bool, has_ended: bool) -> InstanceStatus:
    if is_leaving:
        return _S.TERMINATING
    if has_ended:
        return _S.LOST
    # On a machine its image is pulled, init containers wait for GCS, and Ray is started.
    return _S.SETTING_UP if resource.get("spec", {}).get("nodeName") else _S.ALLOCATED


def _ray_started_at(resource: Mapping[str, Any]) -> float:
    """When Ray's container, the first one (KubeRay's rule), began to run; 0 while it does not."""
    containers = resource.get("spec", {}).get("containers") or [{}]
    for status in (resource.get("status") or {}).get("containerStatuses") or ():
        if status.get("name") == containers[0].get("name"):
            running = (status.get("state") or {}).get("running") or {}
            return unix_seconds(running.get("startedAt"))
    return 0.0
