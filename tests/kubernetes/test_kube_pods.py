"""What a terminal sees of pods: containers in Kubernetes' words, logs, the argv of a shell."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.session import KubeSession
from raytui.client.base import ClientError
from raytui.client.kube_pods import KubePods, containers_of
from raytui.client.pods import PodContainer
from tests.kubernetes.running_pods import run_pod
from tests.support.kube_machine.machine import Machine


def test_containers_are_told_in_kubernetes_words():
    pod = {
        "spec": {
            "initContainers": [{"name": "wait-gcs"}],
            "containers": [{"name": name} for name in ("ray", "pull", "dead", "new")],
        },
        "status": {
            "initContainerStatuses": [
                {"name": "wait-gcs", "state": {"terminated": {"exitCode": 0}}}
            ],
            "containerStatuses": [
                {"name": "ray", "restartCount": 2, "state": {"running": {}}},
                {"name": "pull", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
                {
                    "name": "dead",
                    "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                },
            ],
        },
    }
    assert containers_of(pod) == [
        PodContainer("wait-gcs", "ended: Completed", is_init=True),
        PodContainer("ray", "running", is_running=True, restarts=2),
        PodContainer("pull", "waiting: ImagePullBackOff"),
        PodContainer("dead", "ended: OOMKilled, exit code 137"),
        PodContainer("new", "waiting"),
    ]


@pytest.fixture
def pods(kubeconfig: Path, namespace: str, machine: Machine) -> KubePods:
    return KubePods(Access(kubeconfig=str(kubeconfig), namespace=namespace))


async def read(pods: KubePods, container: str, until_line: str, **how: bool) -> list[str]:
    """The lines of a container up to one of them."""
    found: list[str] = []
    async with asyncio.timeout(30):
        async for lines in pods.log("pod", container, **how):
            found += lines
            if until_line in found:
                return found
    return found


@pytest.mark.kubernetes
@pytest.mark.slow
async def test_a_log_is_read_to_its_newest_line_and_further(
    admin: KubeSession, namespace: str, pods: KubePods
):
    def shell(text: str) -> Sequence[str]:
        return ["sh", "-c", text]

    run_pod(
        admin,
        namespace,
        "pod",
        ray=shell("echo one; sleep 3; echo two; sleep 600"),
        other=shell("echo of the other; sleep 600"),
    )
    assert await read(pods, "other", "of the other") == ["of the other"]
    assert await read(pods, "ray", "two") == ["one", "two"]
    assert await read(pods, "ray", "two") == ["one", "two"]
    assert [one.name for one in await pods.containers("pod")] == ["ray", "other"]
    assert "--tty" in await pods.shell_argv("pod", "other")


@pytest.mark.kubernetes
@pytest.mark.slow
async def test_what_cannot_be_read_is_told_in_kubernetes_words(pods: KubePods):
    with pytest.raises(ClientError, match="not found"):
        await pods.containers("none")
    with pytest.raises(ClientError, match="not found"):
        await read(pods, "ray", "")
