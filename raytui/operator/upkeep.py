"""What a RayCluster needs besides its workers: which pods must go, and whether a head must come."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from raytui.backends.kubernetes.marks import FINALIZER, KUBERAY, OPERATOR
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.session import Json


class Upkeep(Struct, frozen=True):
    """What is to be done now. Workers are the autoscaler's, but for a suspended cluster's."""

    delete: tuple[Pod, ...] = ()
    needs_head: bool = False
    has_old_head: bool = False
    """The head is of a template that has changed since, and may not be replaced unasked."""


def why_others(resource: Json, pods: Sequence[Pod]) -> str:
    """Why somebody else drives a cluster, which nobody then touches; empty when nobody does.

    KubeRay is known by its pods, and while there are none by what it has written: raytui's
    operator puts its finalizer on a RayCluster before it writes anything else.
    """
    if manager := resource["spec"].get("managedBy"):
        return f"its spec.managedBy is {manager}"
    if any(pod.created_by == KUBERAY for pod in pods):
        return "KubeRay has made its pods"
    is_held = FINALIZER in (resource["metadata"].get("finalizers") or ())
    is_ours = is_held or any(pod.created_by == OPERATOR for pod in pods)
    if resource.get("status") and not is_ours:
        return (
            "somebody else, such as KubeRay, has written its status (to hand it over, see to it "
            f"that nobody else serves it, and add the finalizer {FINALIZER})"
        )
    return ""


def upkeep(resource: Json, pods: Sequence[Pod], head_hash: str) -> Upkeep:
    """Compare what a RayCluster is to be with its pods, all of which raytui's operator has made.

    `head_hash` is of what the head's group says now. A head that has ended, or is told to go, has
    to be gone before another one comes: there is one at any time.
    """
    spec = resource["spec"]
    if is_suspended(resource):
        return Upkeep(delete=tuple(pod for pod in pods if not pod.is_leaving))
    heads = sorted(
        (pod for pod in pods if pod.is_head), key=lambda pod: (pod.instance.launched_at, pod.name)
    )
    there = [pod for pod in heads if pod.is_there]
    ended = [pod for pod in heads if pod.has_ended and not pod.is_leaving]
    too_many = there[1:]
    is_old = bool(there) and there[0].template_hash not in ("", head_hash)
    recreates = (spec.get("upgradeStrategy") or {}).get("type") == "Recreate"
    replaced = there[:1] if is_old and recreates else []
    return Upkeep(
        delete=(*ended, *too_many, *replaced),
        needs_head=not heads,
        has_old_head=is_old and not recreates,
    )


def is_suspended(resource: Json) -> bool:
    """Whether the cluster is to have no pods at all."""
    return bool(resource["spec"].get("suspend") or resource["spec"].get("idleSuspend"))


def is_ending(resource: Json) -> bool:
    """Whether somebody has deleted the RayCluster, which waits for its finalizers."""
    return bool(resource["metadata"].get("deletionTimestamp"))
