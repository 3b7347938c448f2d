"""A client of a simulated cluster that lives in this process: no Ray, no daemon, no network."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Sequence

from raytui.autoscaler.daemon.engine_thread import EngineThread
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.simulation.showcase import showcase
from raytui.client.base import Link, LinkState, ReadOnlyError
from raytui.client.simulated_work import SimulatedWork
from raytui.client.work import Work
from raytui.model.command import Ack, Command, Impact
from raytui.model.happening import Happening
from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step

_END_WAIT_S = 2.0


class SimulatedClient:
    """See ClusterClient. Runs its engine in a thread of its own from `updates` to `close`."""

    def __init__(
        self,
        nodes: int,
        seed: int = 0,
        *,
        read_only: bool = False,
        make: Callable[[], Engine] | None = None,
    ) -> None:
        self.read_only = read_only
        self.name = f"simulated-{nodes}"
        self.work: Work = SimulatedWork(lambda: self._newest, lambda: self.read_only)
        self._make = make or (lambda: showcase(nodes, seed))
        self._newest: Snapshot | None = None
        self._news = asyncio.Event()
        self._closed = False
        self._thread: EngineThread | None = None
        self._engine: Engine | None = None

    async def updates(self) -> AsyncIterator[Snapshot | LinkState]:
        """See ClusterClient."""
        loop = asyncio.get_running_loop()
        yield LinkState(Link.CONNECTING)

        def publish(snapshot: Snapshot) -> None:
            loop.call_soon_threadsafe(self._show, snapshot)

        self._thread = EngineThread(self._make, publish)
        self._engine = await asyncio.wrap_future(self._thread.start())
        yield LinkState(Link.LIVE)
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            if self._newest is not None and not self._closed:
                yield self._newest
        yield LinkState(Link.CLOSED)

    def _show(self, snapshot: Snapshot) -> None:
        self._newest = snapshot
        self._news.set()

    async def send(self, command: Command) -> Ack:
        """See ClusterClient."""
        if self.read_only:
            raise ReadOnlyError("this client is read-only")
        if self._thread is None:
            return Ack(False, "the simulation has not started")
        return await asyncio.wrap_future(self._thread.command(command, getpass.getuser()))

    async def history(self, before: int | None = None, limit: int = 100) -> Sequence[Decision]:
        """See ClusterClient."""
        return [] if self._engine is None else self._engine.history(before, limit)

    async def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        """See ClusterClient."""
        return [] if self._engine is None else self._engine.impact(instance_ids)

    async def log_tail(self, instance_id: str, lines: int = 200) -> list[str]:
        """See ClusterClient."""
        return ["a simulated node writes no log"]

    async def happenings(self, instance_id: str = "") -> Sequence[Happening]:
        """See ClusterClient."""
        return ()

    async def setup_steps(self) -> Sequence[Step]:
        """See ClusterClient."""
        return ()

    async def step_output(self, node: str, name: str, lines: int = 1000) -> list[str]:
        """See ClusterClient."""
        return []

    async def close(self) -> None:
        """See ClusterClient."""
        self._closed = True
        self._news.set()
        if self._thread is not None:
            self._thread.stop()
            await asyncio.to_thread(self._thread.join, _END_WAIT_S)
