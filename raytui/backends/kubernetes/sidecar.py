"""Ray's own autoscaler, as KubeRay runs it beside Ray in the head's pod."""

from __future__ import annotations

from raytui.backends.kubernetes.pods import Pod


def why_it_scales(head: Pod | None) -> str:
    """Why a cluster is scaled by it though the RayCluster says no more; empty when it is not.

    A pod keeps the containers that it was made with.
    """
    if head is None or not head.has_autoscaler:
        return ""
    return (
        f"Ray's own autoscaler still runs in the head's pod {head.name} and scales "
        f"{head.cluster}: once that pod is deleted (`kubectl delete pod -n {head.namespace} "
        f"{head.name}`; what runs on the cluster ends with it) KubeRay makes a head without it"
    )
