"""The pods of a RayCluster, built as KubeRay 1.7 builds them from a head or worker group.

What a group's template says stays, unknown fields too. To it are added: who the pod is (labels,
variables), the command that starts Ray, how its health is asked, shared memory for the object
store, and in workers the wait for the head.

Other than KubeRay's:

- Workers are never restarted in place: a node that was drained would be a new node in an old pod.
  A head is restarted as its template says.
- No pod needs to ask the API server, since raytui's operator scales from outside: no service
  account, no role, no second container.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy

from raytui.backends.kubernetes.head_address import gcs_port
from raytui.backends.kubernetes.marks import CREATED_BY, REQUEST, TEMPLATE_HASH
from raytui.backends.kubernetes.objects.command import SHELL, is_overwritten, with_command
from raytui.backends.kubernetes.objects.container import (
    field,
    variable,
    with_mount,
    with_port,
    with_variables,
    with_volume,
)
from raytui.backends.kubernetes.objects.gcs_storage import (
    ENABLED,
    NAMESPACE,
    outlives_head,
    stored_options,
    with_storage,
    with_storage_volume,
)
from raytui.backends.kubernetes.objects.names import WorkerName, group_of, head_host, head_name
from raytui.backends.kubernetes.objects.owned import node_labels, owned_by
from raytui.backends.kubernetes.objects.probes import with_probes
from raytui.backends.kubernetes.objects.ray_start import (
    METRICS_PORT,
    command_line,
    options_of,
    unquoted,
)
from raytui.backends.kubernetes.objects.security import secured, with_secrets
from raytui.backends.kubernetes.pods import CLUSTER, GROUP, HOST_INDEX, KIND, REPLICA, REPLICA_INDEX
from raytui.backends.kubernetes.raycluster import HEAD_GROUP
from raytui.backends.kubernetes.session import Json

DOMAIN = "cluster.local"
"""Of services in a Kubernetes cluster, unless its administrator has chosen another one."""
_NODE = "ray.io/is-ray-node"
_FIXED = frozenset({CLUSTER, KIND, GROUP, CREATED_BY})
"""Labels that no template changes: the pods are found and known by them."""
_SHAPES_REPORTED = "1000"
"""Ray tells autoscalers about 100 shapes of demand by default and hides the rest."""
_SHARED_MEMORY = "shared-mem"
_SHARED_MEMORY_PATH = "/dev/shm"  # noqa: S108 (the pod's own)
_NOT_OF_THE_POD = frozenset(
    {
        "replicas",
        "minReplicas",
        "maxReplicas",
        "scaleStrategy",
        "idleTimeoutSeconds",
        "priority",
        "suspend",
    }
)
"""What a group says of how many pods there are, and not of what they are."""
_OF_ALL_PODS = ("rayVersion", "authOptions", "tlsOptions", "gcsFaultToleranceOptions")


def head_pod(cluster: Json, *, domain: str = DOMAIN) -> Json:
    """The pod of a RayCluster's head; raises ConfigErrors."""
    group = cluster["spec"]["headGroupSpec"]
    options = {**options_of(group), **stored_options(cluster)}
    pod = _pod(cluster, group, HEAD_GROUP, "head", options, domain)
    pod["metadata"]["name"] = head_name(cluster)
    pod["spec"] = with_storage_volume(cluster, pod["spec"])
    return pod


def worker_pod(cluster: Json, group: str, worker: WorkerName, *, domain: str = DOMAIN) -> Json:
    """A pod of a worker group that the RayCluster has; raises ConfigErrors."""
    found = group_of(cluster, group) or {}
    head = f"{head_host(cluster, domain)}:{gcs_port(cluster['spec']['headGroupSpec'])}"
    pod = _pod(cluster, found, group, "worker", options_of(found, head=head), domain)
    meta = pod["metadata"]
    meta["name"] = worker.name
    meta["labels"][REPLICA_INDEX] = str(worker.replica_index)
    if worker.replica:
        meta["labels"] |= {REPLICA: worker.replica, HOST_INDEX: str(worker.host_index)}
    if worker.request_id:
        meta["annotations"][REQUEST] = worker.request_id
    pod["spec"]["restartPolicy"] = "Never"
    return pod


def template_hash(cluster: Json, group: str) -> str:
    """Of all that makes the pods of a group what they are: another one means other pods.

    Tolerations and scheduling gates do not count, since queues such as Kueue add them later.
    """
    said = {
        key: value
        for key, value in (group_of(cluster, group) or {}).items()
        if key not in _NOT_OF_THE_POD
    }
    template = dict(said.get("template") or {})
    template["spec"] = {
        key: value
        for key, value in (template.get("spec") or {}).items()
        if key not in ("tolerations", "schedulingGates")
    }
    spec = cluster["spec"]
    content = [
        {**said, "template": template},
        {key: spec.get(key) for key in _OF_ALL_PODS},
        gcs_port(cluster["spec"]["headGroupSpec"]),
        is_overwritten(cluster),
    ]
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _pod(
    cluster: Json, group: Json, name: str, kind: str, options: Mapping[str, str], domain: str
) -> Json:
    """A pod without a name."""
    is_head = kind == "head"
    template = deepcopy(group["template"])
    own: Json = template.get("metadata") or {}
    spec: Json = template["spec"]
    ray, *others = spec["containers"]
    host = head_host(cluster, domain)
    if not is_overwritten(cluster):
        ray = with_command(ray, command_line(options, is_head=is_head))
    ray = _with_identity(
        ray, options, host, gcs_port(cluster["spec"]["headGroupSpec"]), is_head=is_head
    )
    ray = with_storage(cluster, secured(cluster, ray), is_head=is_head)
    ray = with_port(ray, "metrics", METRICS_PORT)
    ray = with_probes(ray, str(cluster["spec"].get("rayVersion") or ""), options, is_head=is_head)
    first = [_with_head(one, host) for one in spec.get("initContainers") or ()]
    if not is_head:
        first.append(_with_head(_waits_for_gcs(ray, options["address"]), host))
    spec = {**spec, "containers": [ray, *others], **({"initContainers": first} if first else {})}
    if "plasma-directory" not in options:
        spec = _with_shared_memory(spec)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **{key: value for key, value in own.items() if key in ("finalizers",)},
            "namespace": cluster["metadata"]["namespace"],
            "labels": _labels(cluster, group, name, kind, own),
            "annotations": _annotations(cluster, own, template_hash(cluster, name), is_head),
            "ownerReferences": owned_by(cluster),
        },
        "spec": with_secrets(cluster, spec, is_head=is_head),
    }


def _labels(cluster: Json, group: Json, name: str, kind: str, own: Json) -> dict[str, str]:
    ours = {**node_labels(cluster, kind), GROUP: name, _NODE: "yes"}
    theirs = {**(own.get("labels") or {}), **(group.get("labels") or {})}
    return {**ours, **{key: value for key, value in theirs.items() if key not in _FIXED}}


def _annotations(cluster: Json, own: Json, digest: str, is_head: bool) -> dict[str, str]:
    found = {**(own.get("annotations") or {}), TEMPLATE_HASH: digest}
    if is_head:
        found[ENABLED] = "true" if outlives_head(cluster) else "false"
        if kept := (cluster["metadata"].get("annotations") or {}).get(NAMESPACE):
            found[NAMESPACE] = kept
    return found


def _with_identity(
    ray: Json, options: Mapping[str, str], host: str, port: int, *, is_head: bool
) -> Json:
    """Ray's container with what tells Ray who it is, and programs where Ray is."""
    at = "127.0.0.1" if is_head else host
    ours = [
        field("RAY_CLUSTER_NAME", f"metadata.labels['{CLUSTER}']"),
        field("RAY_CLUSTER_NAMESPACE", "metadata.namespace"),
        field("RAY_CLOUD_INSTANCE_ID", "metadata.name"),
        field("RAY_NODE_TYPE_NAME", f"metadata.labels['{GROUP}']"),
        variable("KUBERAY_GEN_RAY_START_CMD", unquoted(options, is_head=is_head)),
    ]
    missing = [
        variable("RAY_PORT", str(port)),
        variable("RAY_ADDRESS", f"{at}:{port}"),
        variable("RAY_USAGE_STATS_KUBERAY_IN_USE", "1"),
        variable("RAY_DASHBOARD_ENABLE_K8S_DISK_USAGE", "1"),
        variable("RAY_max_resource_shapes_per_load_report", _SHAPES_REPORTED),
    ]
    if is_head:
        missing.append(variable("RAY_enable_autoscaler_v2", "1"))
    found = with_variables(ray, ours=ours, missing=missing)
    return found if is_head else _with_head(found, host)


def _with_head(container: Json, host: str) -> Json:
    """A container that is told where the head is, as certificates and commands need it."""
    where = [variable("FQ_RAY_IP", host), variable("RAY_IP", host.partition(".")[0])]
    return with_variables(container, ours=where, missing=())


def _waits_for_gcs(ray: Json, address: str) -> Json:
    """A container that ends when GCS answers; it has what Ray needs to be let in by GCS."""
    ask = f"ray health-check --address {address}"
    loop = f'until {ask} > /dev/null 2>&1; do echo "GCS at {address} is not ready"; sleep 2; done'
    least = {"cpu": "200m", "memory": "256Mi"}
    kept = ("image", "imagePullPolicy", "securityContext", "env", "envFrom", "volumeMounts")
    return {
        **{key: deepcopy(ray[key]) for key in kept if ray.get(key)},
        "name": "wait-gcs-ready",
        "command": SHELL,
        "args": [loop],
        "resources": {"limits": least, "requests": least},
    }


def _with_shared_memory(spec: Json) -> Json:
    """A pod's spec with room in memory for Ray's object store, as much as the container has."""
    ray, *others = spec["containers"]
    mounted = with_mount(ray, {"name": _SHARED_MEMORY, "mountPath": _SHARED_MEMORY_PATH})
    if mounted is ray:
        return spec
    amounts = ray.get("resources") or {}
    room = [(amounts.get(part) or {}).get("memory") for part in ("limits", "requests")]
    volume: Json = {"medium": "Memory"}
    if size := room[0] or room[1]:
        volume["sizeLimit"] = size
    return with_volume(
        {**spec, "containers": [mounted, *others]}, {"name": _SHARED_MEMORY, "emptyDir": volume}
    )
