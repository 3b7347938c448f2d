"""An operator that is killed after each of its writes, and started anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kubernetes.clusters import NAME, World, group
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.front import Front, Write, front
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.operating import Operator, operator

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow, pytest.mark.timeout(900)]

_LIVES = 60
_QUIET_S = 8.0
"""An operator that has written nothing for so long has nothing left to do."""


def _made(door: Front) -> list[Write]:
    return [
        write
        for write in door.writes
        if write.verb == "POST"
        and write.path.partition("?")[0].endswith("/pods")
        and write.code == 201
    ]


def _live_until(running: Operator, door: Front, is_done: Callable[[], bool]) -> None:
    """Start it anew each time it was killed, until one lives on and has nothing left to do."""
    for _ in range(_LIVES):
        quiet_from = time.monotonic()
        while running.process.poll() is None:
            if time.monotonic() - quiet_from > _QUIET_S and is_done():
                return
            assert time.monotonic() - quiet_from < 60, "it neither writes nor is it done"
            time.sleep(0.05)
        running.process.wait()
        running.start()
    did = "\n".join(f"{write.verb} {write.path} {write.code}" for write in door.writes)
    raise AssertionError(f"not done after {_LIVES} lives; they wrote\n{did}")


def test_operator_killed_after_each_write_makes_no_pod_twice_and_leaves_none(
    plane: ControlPlane, world: World, kubelet: Kubelet, tmp_path: Path
) -> None:
    with front(plane) as door, kubelet.running():
        config = door.kubeconfig(tmp_path / "front.yaml", world.namespace)
        world.create(group("cpu", replicas=2))
        with operator(config, tmp_path) as running:
            door.on_write = lambda write: running.process.kill() if write.code < 300 else None

            _live_until(running, door, lambda: len(world.workers()) == 2)

            assert len(_made(door)) == 3, "a head and two workers"
            world.admin.delete(f"{world.path}/{NAME}")
            _live_until(running, door, lambda: not world.admin.items(world.path))

    services = world.admin.items(f"/api/v1/namespaces/{world.namespace}/services")
    assert [*world.admin.items(world.pods_path), *services] == []
    assert len(_made(door)) == 3
