"""A whole simulated cluster on a clock that tests move: provider, Ray, ledger, reconciler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.simulation.inline import Inline
from raytui.autoscaler.simulation.simulated_ray import Arrivals, SimulatedRay
from raytui.backends.base import LaunchRequest
from raytui.backends.fake import FakeProvider, Faults
from raytui.model.command import Ack, Command
from raytui.model.resources import Resources
from raytui.model.snapshot import ClusterInfo, Snapshot
from raytui.model.spec import ClusterSpec


class Swallow(Executor):
    """Takes work and never does it: a process that dies before its thread runs."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if fn.__name__ == "list_instances":
            return Inline().submit(fn, *args)
        return Future()


class World:
    """Moves in steps of a second. `boot()` starts another reconciler, as a restart would."""

    def __init__(
        self,
        spec: ClusterSpec,
        path: Path,
        *,
        seed: int = 0,
        streams: Sequence[Arrivals] = (),
        faults: Faults | None = None,
    ) -> None:
        self.now = 1_000_000.0
        self.clock_set_by = 0.0
        """Seconds by which somebody set the wall clock."""
        self.spec = spec
        self.path = path
        self.provider = FakeProvider(seed=seed, clock=self.clock)
        self.provider.launch(LaunchRequest("head", "head", 1, is_head=True))
        self.provider.faults = faults or Faults()
        self.ray = SimulatedRay(spec, self.provider, streams, clock=self.clock, seed=seed)
        self.ids = 0
        self.snapshot: Snapshot
        self.boot()

    def clock(self) -> float:
        return self.now + self.clock_set_by

    def steady(self) -> float:
        return self.now

    def boot(self, pool: Executor | None = None, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger(self.path)
        self.reconciler = Reconciler(
            self.spec,
            self.provider,
            self.ray,
            self.ledger,
            info=ClusterInfo("test", "fake"),
            pool=pool or Inline(),
            clock=self.clock,
            steady=self.steady,
            new_id=self._id,
        )

    def _id(self) -> str:
        self.ids += 1
        return f"{self.ids:04d}"

    def run(self, seconds: int = 1) -> Snapshot:
        for _ in range(seconds):
            self.now += 1
            self.snapshot = self.reconciler.tick()
        return self.snapshot

    def run_until(self, condition: Callable[[Snapshot], bool], within: int = 300) -> Snapshot:
        for _ in range(within):
            if condition(self.run()):
                return self.snapshot
        raise AssertionError(f"not within {within} s: {self.snapshot.events[:5]}")

    def order(self, command: Command) -> Ack:
        return self.reconciler.command(command, "ann@host")

    def workers(self) -> list[str]:
        return [i for i, x in self.provider.instances.items() if not x.is_head]

    def text(self) -> str:
        """All events, newest first, one a line."""
        return "\n".join(event.text for event in self.ledger.events(1000))


def tasks(count: int, seconds: float, **shape: float) -> Arrivals:
    """As many tasks as keep `count` running."""
    return Arrivals(Resources.of(shape), count / seconds, seconds)
