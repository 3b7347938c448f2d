"""A cluster whose pods do not start, on a clock of its own: minutes pass in seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.simulated_ray import SimulatedRay
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.manifest import spec_of
from raytui.backends.kubernetes.pods import pod_of
from raytui.model.command import RequestResources
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import LaunchFailure
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.state import Instance
from tests.kubernetes.clusters import LONG, Json, World, manifest
from tests.kubernetes.kubelet import Kubelet

Fault = Callable[[Kubelet, str], None]
"""What becomes of a new worker pod, by name."""
_STEP_S = 5.0
_UNDER_WAY = (InstanceStatus.QUEUED, InstanceStatus.REQUESTED, InstanceStatus.TERMINATING)


class FailingPods:
    """The loop of an autoscaler, and a kubelet that does to every worker pod the same."""

    def __init__(
        self, world: World, kubelet: Kubelet, fault: Fault, *groups: Json, **config: Any
    ) -> None:
        """`config` is raytui's own block of the RayCluster."""
        self.fault = fault
        self.made: list[str] = []
        """Worker pods that were ever there."""
        self._world = world
        self._kubelet = kubelet
        self._now = time.time()
        self._seen: set[str] = set()
        cluster = manifest(*groups)
        cluster["metadata"]["annotations"] = {"raytui.io/config": json.dumps(config)}
        world.admin.create(world.path, cluster)
        spec = spec_of(world.read())
        self._ray = SimulatedRay(spec, self, (), clock=self._clock, boot_s=(0, 0))  # type: ignore[arg-type]
        self._ledger = Ledger(world.paths.dir / "ledger.db")
        self.loop = Reconciler(
            spec,
            world.provider(patience=LONG),
            self._ray,
            self._ledger,
            info=ClusterInfo("demo", "kuberay"),
            clock=self._clock,
            steady=self._clock,
        )

    @property
    def instances(self) -> dict[str, Instance]:
        """The pods on which Ray runs, for SimulatedRay."""
        found = map(pod_of, self._world.admin.items(self._world.pods_path))
        return {p.name: p.instance for p in found if p.is_there and p.instance.ray_started_at}

    def need(self, count: int, **shape: float) -> None:
        """Resources that have to be there."""
        self.loop.command(RequestResources(((Resources.of(shape), count),)), "ann@host")

    def befall(self, fault: Fault) -> None:
        """Let something happen to the worker pods that are there, and to all that come."""
        self.fault = fault
        self._seen &= {name for name in self._seen if name not in self.made}
        self.made.clear()

    def pass_time(self, seconds: float) -> Snapshot:
        """Let so much time go by; the last picture."""
        end = self._now + seconds
        shown = self._round()
        while self._now < end:
            shown = self._round()
        return shown

    def until(self, condition: Callable[[Snapshot], object], within_s: float) -> Snapshot:
        """Let time go by until something is so."""
        end = self._now + within_s
        while self._now < end:
            shown = self._round()
            if condition(shown):
                return shown
        told = "\n".join(event.text for event in self._ledger.events(50))
        raise AssertionError(f"not within {within_s} s; the journal:\n{told}")

    def _clock(self) -> float:
        return self._now

    def _round(self) -> Snapshot:
        shown = self.loop.tick()
        self._play()
        rows = (row.member.status for row in shown.rows)
        if any(status in _UNDER_WAY for status in rows):
            time.sleep(0.05)  # calls of the API server take the time that they take
            self._now += 0.05
        else:
            self._now += _STEP_S
        return shown

    def _play(self) -> None:
        for pod in self._world.admin.items(self._world.pods_path):
            name = pod["metadata"]["name"]
            with suppress(NotFoundError):
                if "deletionTimestamp" in pod["metadata"]:
                    self._kubelet.end(name)
                elif name not in self._seen:
                    self._seen.add(name)
                    if pod["metadata"]["labels"]["ray.io/node-type"] == "head":
                        self._kubelet.run(name, ip="10.0.0.1")
                    else:
                        self.made.append(name)
                        self.fault(self._kubelet, name)


def failures_of(shown: Snapshot, node_type: str = "cpu") -> list[LaunchFailure]:
    """What is remembered against a group."""
    return [failure for failure in shown.failures if failure.node_type == node_type]
