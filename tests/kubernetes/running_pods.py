"""Pods that run for real, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.backends.kubernetes.session import KubeSession
from tests.kubernetes.waiting import until


def run_pod(session: KubeSession, namespace: str, name: str, **containers: Sequence[str]) -> None:
    """Create a pod with containers that run these commands, and wait until it runs."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    made = [
        {"name": container, "image": "any", "command": list(command)}
        for container, command in containers.items()
    ]
    session.create(
        path,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": made, "terminationGracePeriodSeconds": 1},
        },
    )
    until(
        lambda: session.get(f"{path}/{name}").get("status", {}).get("phase") == "Running",
        f"pod {name} runs",
    )
