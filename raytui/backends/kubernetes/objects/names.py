"""What the objects of a RayCluster are called: always the same for the same thing."""

from __future__ import annotations

import base64
import hashlib
import re
from math import ceil

from msgspec import Struct

from raytui.backends.kubernetes.raycluster import HEAD_GROUP
from raytui.backends.kubernetes.session import Json

LONGEST = 63
"""Of a DNS label and of a label's value. A pod's name is its host name, too."""
_DIGEST_BYTES = 5
_NOT_DNS = re.compile(r"[^a-z0-9-]+")


class WorkerName(Struct, frozen=True):
    """A worker pod that is to be made, and its place among the pods of its group."""

    name: str
    request_id: str = ""
    replica: str = ""
    """Of a multi-host group: the replica that it belongs to."""
    replica_index: int = 0
    host_index: int = 0


def workers_of(
    cluster: Json, group: Json, request_id: str, count: int, taken: frozenset[int] = frozenset()
) -> list[WorkerName]:
    """The pods of a launch request, whole replicas of them: again the same for the same request.

    Only the replicas' indices depend on what runs: they are the lowest that are not `taken`.
    """
    hosts = max(1, group.get("numOfHosts") or 1)
    free = (index for index in range(len(taken) + count + 1) if index not in taken)
    found = []
    for number in range(ceil(count / hosts)):
        index = next(free)
        replica = _replica_name(cluster, group, request_id, number) if hosts > 1 else ""
        for host in range(hosts):
            name = _worker_name(cluster, group, request_id, number * hosts + host)
            found.append(WorkerName(name, request_id, replica, index, host))
    return found


def head_name(cluster: Json) -> str:
    """Of the head's pod: there is one at any time."""
    return _cut(_dns(name_of(cluster)), "-head", name_of(cluster))


def head_service_name(cluster: Json) -> str:
    """Of the service that workers find the head by."""
    own = (cluster["spec"]["headGroupSpec"].get("headService") or {}).get("metadata") or {}
    return own.get("name") or _cut(_dns(name_of(cluster)), "-head-svc", name_of(cluster))


def head_host(cluster: Json, domain: str) -> str:
    """The head's name in DNS; `domain` is that of the Kubernetes cluster."""
    return f"{head_service_name(cluster)}.{cluster['metadata']['namespace']}.svc.{domain}"


def workers_service_name(cluster: Json) -> str:
    """Of the service by which the hosts of a multi-host replica find each other."""
    return _cut(_dns(name_of(cluster)), "-headless", name_of(cluster))


def label(text: str) -> str:
    """A label's value: KubeRay keeps the end of one that is too long."""
    return text[-LONGEST:].lstrip("-._")


def name_of(cluster: Json) -> str:
    """Of the RayCluster."""
    return str(cluster["metadata"]["name"])


def group_of(cluster: Json, name: str) -> Json | None:
    """What a RayCluster says of a group, the head's too; None for one that it does not have."""
    if name == HEAD_GROUP:
        found: Json = cluster["spec"]["headGroupSpec"]
        return found
    groups: list[Json] = cluster["spec"].get("workerGroupSpecs") or []
    return next((group for group in groups if group["groupName"] == name), None)


def _worker_name(cluster: Json, group: Json, request_id: str, number: int) -> str:
    """A RayCluster that is made anew under its old name has other pods: the uid tells them."""
    front = _dns(f"{name_of(cluster)}-{group['groupName']}")
    digest = _digest(cluster["metadata"]["uid"], group["groupName"], request_id, str(number))
    return _joined(front, f"-worker-{digest}")


def _replica_name(cluster: Json, group: Json, request_id: str, number: int) -> str:
    digest = _digest(cluster["metadata"]["uid"], group["groupName"], request_id, f"r{number}")
    return _joined(_dns(group["groupName"]), f"-{digest}")


def _cut(front: str, end: str, whole: str) -> str:
    """Names that would be the same after they were cut differ by a digest of the whole."""
    if len(front) + len(end) > LONGEST:
        end = f"-{_digest(whole)}{end}"
    return _joined(front, end)


def _joined(front: str, end: str) -> str:
    return front[: LONGEST - len(end)].rstrip("-") + end


def _dns(text: str) -> str:
    """What a DNS label may have, beginning with a letter as the names of services must."""
    found = _NOT_DNS.sub("-", text.lower()).strip("-")
    return found if found[:1].isalpha() else f"r{found}"


def _digest(*parts: str) -> str:
    found = hashlib.blake2b("\0".join(parts).encode(), digest_size=_DIGEST_BYTES).digest()
    return base64.b32encode(found).decode().lower()
