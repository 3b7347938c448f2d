"""The operator as a process of its own against a real API server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubernetes.clusters import World, group
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.operating import operator
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]


def test_cluster_gets_its_head_its_service_and_its_replicas(
    world: World, kubeconfig: Path, kubelet: Kubelet, tmp_path: Path
) -> None:
    with operator(kubeconfig, tmp_path), kubelet.running():
        world.create(group("cpu", replicas=2))

        until(lambda: len(world.workers()) == 2, "both workers")
