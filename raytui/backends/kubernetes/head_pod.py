"""The pod in which the head of a Ray cluster runs."""

from __future__ import annotations

from raytui.backends.base import TransientError
from raytui.backends.kubernetes import pods
from raytui.backends.kubernetes.pods import Pod
from raytui.backends.kubernetes.session import KubeSession


def head_pod(session: KubeSession, namespace: str, cluster: str) -> Pod:
    """The head's pod, in which Ray may not answer yet; raises ProviderError when none runs."""
    heads = f"{pods.CLUSTER}={cluster},{pods.KIND}=head"
    found = [
        pods.pod_of(one) for one in session.items(pods.path_of(namespace), labelSelector=heads)
    ]
    for pod in found:
        if pod.is_there and pod.instance.ray_started_at:
            return pod
    state = "; ".join(f"pod {pod.name} {pod.instance.detail or 'is starting'}" for pod in found)
    raise TransientError(f"no head of {cluster} runs: {state or 'it has no pod'}")
