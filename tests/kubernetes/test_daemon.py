"""The daemon of a RayCluster as a process: it waits, follows the resource, and keeps no secrets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raytui.autoscaler.daemon.control import Control
from raytui.config.locations import ClusterPaths
from raytui.model import wire
from raytui.model.snapshot import Snapshot
from tests.kubernetes.clusters import World, group, template
from tests.kubernetes.control_plane import ADMIN
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.kuberay import KubeRay
from tests.kubernetes.waiting import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]

SECRET = "sesame"


@contextmanager
def _daemon(world: World, kubeconfig: Path, log: Path, **env: str) -> Iterator[ClusterPaths]:
    """A daemon that runs while the block does, and has not ended by itself."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "raytui", "--daemon", f"k8s:{world.namespace}/demo"],
            env={**os.environ, "KUBECONFIG": str(kubeconfig), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield ClusterPaths(f"{ADMIN}.{world.namespace}.demo")
        assert running.poll() is None, log.read_text()
    finally:
        running.terminate()
        running.wait(20)


def _shown(paths: ClusterPaths, seen: Callable[[Snapshot], object], what: str) -> Snapshot:
    def ask() -> Snapshot | None:
        if not paths.socket.exists():
            return None
        with Control(paths.socket) as control:
            for snapshot in control.snapshots(time.monotonic() + 30):
                if seen(snapshot):
                    return snapshot
        return None

    return until(ask, what, within_s=60)  # type: ignore[return-value]


def _says(text: str) -> Callable[[Snapshot], bool]:
    return lambda shown: any(text in event.text for event in shown.events)


def _secretive() -> dict[str, object]:
    found = template()
    found["spec"]["containers"][0]["env"] = [{"name": "TOKEN", "value": SECRET}]
    return found


def test_head_that_is_not_there_yet_is_waited_for_and_found_where_it_listens(
    world: World, kuberay: KubeRay, kubelet: Kubelet, kubeconfig: Path, tmp_path: Path
) -> None:
    head = {"rayStartParams": {"port": "6399"}, "template": _secretive()}
    world.create(group("cpu", template=_secretive()), headGroupSpec=head)
    with _daemon(world, kubeconfig, tmp_path / "log") as paths:
        waiting = _shown(paths, lambda shown: shown.seq > 1, "it ticks")
        assert "there is no head" in next(s.error for s in waiting.sources if s.name == "gcs")
        (pod,) = until(lambda: kuberay.made[:1], "KubeRay has made the head")

        kubelet.run(pod, ip="127.0.0.1")

        found = _shown(paths, lambda shown: shown.info.gcs_address, "the head is found")
        assert found.info.gcs_address == "127.0.0.1:6399"
        assert SECRET.encode() not in wire.line_of(wire.SnapshotIs(found))
        for file in paths.dir.rglob("*"):
            assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
    assert SECRET not in (tmp_path / "log").read_text()


def test_resource_is_followed_and_a_bad_one_refused(
    world: World, kuberay: KubeRay, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu"), group("gpu"))
    with _daemon(world, kubeconfig, tmp_path / "log") as paths:
        _shown(paths, lambda shown: shown.types, "it ticks")
        world.patch("/spec/workerGroupSpecs/0/maxReplicas", 3)
        _shown(paths, lambda s: [t.max for t in s.types if t.name == "cpu"] == [3], "the limit")

        world.patch("/spec/workerGroupSpecs/1/groupName", "cpu")

        _shown(paths, _says("the RayCluster was refused"), "the refusal")
        world.patch("/spec/workerGroupSpecs/1/groupName", "other")
        _shown(paths, lambda s: "other" in [t.name for t in s.types], "the new group")


def test_cluster_that_others_scale_is_watched_and_taken_over_without_a_restart(
    world: World, kuberay: KubeRay, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu"), enableInTreeAutoscaling=True)
    with _daemon(world, kubeconfig, tmp_path / "log") as paths:
        watching = _shown(paths, lambda shown: shown.watch_only, "it watches")
        assert "scaled by Ray's own autoscaler" in watching.watch_only

        world.patch("/spec/enableInTreeAutoscaling", False)
        _shown(paths, lambda s: "still runs in the head's pod" in s.watch_only, "it waits")
        world.end_head()

        _shown(paths, lambda shown: not shown.watch_only, "it acts")


def test_pod_whose_state_cannot_be_kept_says_so(
    world: World, kubeconfig: Path, tmp_path: Path
) -> None:
    world.create(group("cpu"))
    (tmp_path / "file").touch()

    done = subprocess.run(
        [sys.executable, "-m", "raytui", "--daemon", f"k8s:{world.namespace}/demo"],
        env={
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "XDG_STATE_HOME": str(tmp_path / "file"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "nowhere to keep the ledger" in done.stderr
    assert "set XDG_STATE_HOME" in done.stderr
