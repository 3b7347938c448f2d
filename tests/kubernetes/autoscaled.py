"""The autoscaler's own loop over a RayCluster of the real API server; only Ray is simulated."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from raytui.autoscaler.daemon.cluster_resource import ClusterResource
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.simulated_ray import SimulatedRay
from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.manifest import spec_of
from raytui.backends.kubernetes.pods import pod_of
from raytui.backends.kubernetes.provider import KubeRayProvider
from raytui.backends.kubernetes.session import KubeSession
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.state import Instance
from raytui.ray.base import DrainAnswer
from tests.kubernetes.clusters import LONG, World
from tests.kubernetes.kubelet import Kubelet
from tests.kubernetes.waiting import until

_END_S = 0.4
"""From a drain to the end of the pod: `ray start --block` looks at its processes once a second."""


class Pods:
    """The pods that run, for SimulatedRay to have a node on each."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def instances(self) -> dict[str, Instance]:
        found = map(pod_of, self._world.admin.items(self._world.pods_path))
        return {p.name: p.instance for p in found if p.is_there and p.instance.ray_started_at}


class Ray(SimulatedRay):
    """As real Ray: a node that is drained while it is idle ends its process, and so its pod."""

    def __init__(self, world: World, kubelet: Kubelet, *, pods_end: bool) -> None:
        pods: object = Pods(world)
        super().__init__(spec_of(world.read()), pods, (), clock=time.time, boot_s=(0, 0))  # type: ignore[arg-type]
        self._kubelet = kubelet
        self._pods_end = pods_end

    def drain(self, node_id: str, *, idle_only: bool, message: str, deadline: float) -> DrainAnswer:
        answer = super().drain(node_id, idle_only=idle_only, message=message, deadline=deadline)
        drained = [n.instance_id for n in self._look().nodes if n.node_id == node_id]
        if answer.accepted and self._pods_end:
            for name in drained:
                end = threading.Timer(_END_S, self._end, (name,))
                end.daemon = True
                end.start()
        return answer

    def _end(self, name: str) -> None:
        with suppress(ProviderError):  # it may be gone
            self._kubelet.tell(name, phase="Succeeded")


class Autoscaler:
    """A daemon's loop, which can be started anew."""

    def __init__(self, world: World, ray: Ray, session: KubeSession | None = None) -> None:
        """`session` is whose rights it has; the administrator's otherwise."""
        self._world = world
        self._ray = ray
        self._session = session or world.admin
        self.start()

    def start(self) -> None:
        """From the ledger on, as after a kill."""
        spec = spec_of(self._world.read())
        self.ledger = Ledger(self._world.paths.dir / "ledger.db")
        self.provider = KubeRayProvider(spec, self._world.paths, self._session, patience=LONG)
        self.resource = ClusterResource(self.provider, self._world.paths, spec)
        self.loop = Reconciler(
            spec,
            self.provider,
            self._ray,
            self.ledger,
            info=ClusterInfo("demo", "kuberay"),
        )

    def run_until(self, condition: Callable[[Snapshot], object], what: str) -> Snapshot:
        """Round after round, with a look at the RayCluster now and then, as the daemon has it."""

        def one() -> Snapshot | None:
            if self.resource.changed():
                self.resource.reload(self.loop)
            shown = self.loop.tick()
            time.sleep(0.1)
            return shown if condition(shown) else None

        try:
            return until(one, what, within_s=90)
        except AssertionError as error:
            told = "\n".join(event.text for event in self.ledger.events(50))
            raise AssertionError(f"{error}\n{told}") from None
