"""A simulated Ray cluster: nodes boot, work comes and goes; all seeded, on any clock."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from raytui.backends.fake import FakeProvider
from raytui.model.command import Impact
from raytui.model.lifecycle import InstanceStatus
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import (
    Bundle,
    Constraint,
    Demand,
    Instance,
    Node,
    NodeStatus,
    Notice,
    NoticeKind,
)
from raytui.ray.base import AutoscalerReport, DrainAnswer, RayError, RayView

_STEP_S = 0.5
"""The world moves in steps of at least this long."""


class Arrivals(Struct, frozen=True):
    """A stream of equal tasks."""

    shape: Resources
    per_s: float
    """Mean number of new tasks a second."""
    duration_s: float
    """Mean seconds that one runs."""
    name: str = "task"


class _Host:
    """One simulated Ray node."""

    __slots__ = ("available", "draining", "idle_since", "instance", "node", "running", "total")

    def __init__(self, instance: Instance, total: Resources, now: float) -> None:
        self.instance = instance
        self.total = total
        self.available = total
        self.running: Counter[int] = Counter()
        self.idle_since = now
        self.draining = False
        self.node: Node | None = None
        """What was last shown of it; None when something changed since."""


class SimulatedRay:
    """Implements RayCluster for a FakeProvider's instances. `advance` moves the world."""

    gcs_address = "simulated"

    def __init__(
        self,
        spec: ClusterSpec,
        provider: FakeProvider,
        arrivals: Sequence[Arrivals],
        *,
        clock: Callable[[], float],
        seed: int = 0,
        boot_s: tuple[float, float] = (8.0, 20.0),
    ) -> None:
        self._spec = spec
        self._provider = provider
        self._arrivals = tuple(arrivals)
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._boot_s = boot_s
        self._hosts: dict[str, _Host] = {}
        self._boots: dict[str, float] = {}
        self._ends: list[tuple[float, int, str, int]] = []
        self._serial = 0
        self._pending: list[float] = [0.0] * len(self._arrivals)
        self._constraint: tuple[tuple[Resources, int], ...] = ()
        self._now = clock()
        self._version = 0
        self._view: RayView | None = None
        self._notices: list[Notice] = []
        self.silent = False
        """True: GCS is away and every question to it fails."""

    # -- the world ------------------------------------------------------------------------------

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        now = self._clock()
        step = max(0.0, now - self._now)
        self._now = now
        self._boot(now)
        self._finish(now)
        for index, stream in enumerate(self._arrivals):
            mean = stream.per_s * step
            self._pending[index] += max(0.0, self._random.gauss(mean, mean**0.5 if mean else 0.0))
        self._start(now)

    def settle(self) -> None:
        """Skip the beginning: all nodes are up, and as much runs as usually does."""
        for instance_id in self._provider.instances:
            self._boots[instance_id] = self._now
        for index, stream in enumerate(self._arrivals):
            self._pending[index] += stream.per_s * stream.duration_s
        self.advance()

    def _boot(self, now: float) -> None:
        there = self._provider.instances
        for instance_id, instance in there.items():
            if instance_id not in self._hosts and instance.status is not InstanceStatus.LOST:
                boot_s = 0.0 if instance.is_head else self._random.uniform(*self._boot_s)
                due = self._boots.setdefault(instance_id, instance.launched_at + boot_s)
                if now >= due:
                    total = self._spec.node_types[instance.node_type].resources
                    self._hosts[instance_id] = _Host(instance, total, now)
        for instance_id in [i for i in self._hosts if i not in there]:
            host = self._hosts.pop(instance_id)
            self._boots.pop(instance_id, None)
            for index, count in host.running.items():
                self._pending[index] += count  # Ray retries the tasks of a lost node

    def _finish(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, _, instance_id, index = heapq.heappop(self._ends)
            host = self._hosts.get(instance_id)
            if host is None or not host.running[index]:
                continue
            host.running[index] -= 1
            host.node = None
            host.available = host.available + self._arrivals[index].shape
            if not +host.running:
                host.running.clear()
                host.idle_since = now

    def _start(self, now: float) -> None:
        hardest = sorted(range(len(self._arrivals)), key=lambda i: -len(self._arrivals[i].shape))
        open_hosts = [h for h in self._hosts.values() if h.available and not h.draining]
        open_hosts.sort(key=lambda host: "GPU" in host.total)  # as Ray: GPU nodes last
        for index in hardest:
            stream = self._arrivals[index]
            waiting = int(self._pending[index])
            for host in open_hosts:
                if not waiting:
                    break
                count = min(waiting, stream.shape.times_in(host.available))
                if not count:
                    continue
                self._run(host, index, count, now)
                waiting -= count
                self._pending[index] -= count

    def _run(self, host: _Host, index: int, count: int, now: float) -> None:
        stream = self._arrivals[index]
        host.available = host.available - stream.shape * count
        host.running[index] += count
        host.node = None
        host.idle_since = 0.0
        for _ in range(count):
            self._serial += 1
            ends = now + self._random.uniform(0.5, 1.5) * stream.duration_s
            heapq.heappush(self._ends, (ends, self._serial, host.instance.instance_id, index))

    def warn(self, notice: Notice) -> None:
        """Let it be known that a machine will or may be taken back; one that will be is drained."""
        self._notices.append(notice)
        host = self._hosts.get(notice.instance_id)
        if host is not None and notice.kind is NoticeKind.INTERRUPTION:
            host.draining, host.node = True, None
        self._view = None

    # -- RayCluster -----------------------------------------------------------------------------

    def observe(self) -> RayView:
        """See RayCluster. Looked at more often than every half second, it has not changed."""
        if self.silent:
            raise RayError("the simulated GCS does not answer")
        if self._view is None or self._clock() - self._now >= _STEP_S:
            self.advance()
            self._view = self._look()
        return self._view

    def _look(self) -> RayView:
        self._version += 1
        constraints: tuple[Constraint, ...] = ()
        if self._constraint:
            bundles = tuple((Bundle(shape), count) for shape, count in self._constraint)
            constraints = (Constraint(bundles),)
        return RayView(
            version=self._version,
            nodes=tuple(self._shown(host) for host in self._hosts.values()),
            demands=tuple(
                Demand(stream.shape, int(waiting))
                for stream, waiting in zip(self._arrivals, self._pending, strict=True)
                if waiting >= 1
            ),
            constraints=constraints,
            session="simulated",
            notices=(*self._notices, *self._drained()),
        )

    def _drained(self) -> Iterator[Notice]:
        for host in self._hosts.values():
            if host.draining:
                yield Notice(host.instance.instance_id, NoticeKind.DRAINED)

    def _shown(self, host: _Host) -> Node:
        if host.node is None:
            host.node = self._node(host)
        return host.node

    def _node(self, host: _Host) -> Node:
        instance = host.instance
        status = NodeStatus.IDLE if host.idle_since else NodeStatus.RUNNING
        names = (f"{self._arrivals[i].name} ×{n}" for i, n in host.running.items() if n)
        return Node(
            node_id=_node_id(instance),
            instance_id=instance.instance_id,
            node_type=instance.node_type,
            status=NodeStatus.DRAINING if host.draining else status,
            total=host.total,
            available=host.available,
            labels=self._spec.node_types[instance.node_type].labels,
            ip=instance.ip,
            idle_since=host.idle_since,
            activity=tuple(names),
            is_head=instance.is_head,
        )

    def report(self, report: AutoscalerReport) -> None:
        """See RayCluster. Nobody else looks at a simulated cluster."""

    def take_over(self, spec: ClusterSpec) -> None:
        """See RayCluster."""
        self._spec = spec

    def drain(self, node_id: str, *, idle_only: bool, message: str, deadline: float) -> DrainAnswer:
        """See RayCluster."""
        host = next((h for h in self._hosts.values() if _node_id(h.instance) == node_id), None)
        if host is None:
            return DrainAnswer(True)
        if idle_only and not host.idle_since:
            return DrainAnswer(False, "The node to be idle terminated is no longer idle.")
        host.draining = True
        host.node = None
        return DrainAnswer(True)

    def request_resources(self, bundles: Sequence[tuple[Resources, int]]) -> None:
        """See RayCluster."""
        self._constraint = tuple(bundles)

    def impact(self, node_ids: Sequence[str]) -> dict[str, Impact]:
        """See RayCluster."""
        nodes = (self._shown(host) for host in self._hosts.values())
        return {
            node.node_id: Impact(node.instance_id, node.node_type, tasks=node.activity)
            for node in nodes
            if node.node_id in node_ids
        }

    def announce_metrics(self, address: str) -> None:
        """See RayCluster. Nobody scrapes a made-up cluster."""

    def dashboard_url(self) -> str:
        """See RayCluster."""
        return ""

    def close(self) -> None:
        """See RayCluster."""


def _node_id(instance: Instance) -> str:
    """A made-up Ray node id, the same in every run."""
    return hashlib.sha256(instance.instance_id.encode()).hexdigest()[:56]
