"""The autoscaler of one RayCluster inside the operator, and what it lets others know."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from raytui.autoscaler.cluster_info import info_of
from raytui.autoscaler.daemon.served_engine import ServedEngine
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.orders import THREADS
from raytui.autoscaler.loop.reconciler import Reconciler
from raytui.autoscaler.metrics.monitor import Monitor
from raytui.backends.abilities import HeadProvider
from raytui.config.locations import ClusterPaths
from raytui.model.command import Ack, Terminate
from raytui.model.snapshot import Event, Snapshot
from raytui.model.spec import ClusterSpec
from raytui.operator.head_start import StartingRay
from raytui.operator.memory import Orders, orders_in, remembered

_SOCKET_HINT = "it ends with its RayCluster: suspend that, or delete it"


class ClusterEngine:
    """From `start` to `close`, in the event loop. What it knows may be read from any thread."""

    def __init__(
        self,
        spec: ClusterSpec,
        provider: HeadProvider,
        orders: Orders,
        *,
        head_starts: Callable[[], bool],
        news: Callable[[], None],
        readers: ThreadPoolExecutor,
    ) -> None:
        """`news` is called in the engine's thread after each round.

        `head_starts`: see StartingRay.
        """
        self._spec = spec
        self._provider = provider
        self._orders = orders
        self._head_starts = head_starts
        self._news = news
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"provider {spec.state_name}")
        self._paths = ClusterPaths(spec.state_name).make()
        self.monitor = Monitor(spec.cluster_name, self._paths.ledger)
        self._lock = threading.Lock()
        self._reconciler: Reconciler
        self._snapshot: Snapshot | None = None
        self._told = 0
        self._served = ServedEngine(
            spec.cluster_name,
            self._paths,
            self._make,
            self._reload,
            stop=lambda: Ack(False, f"{spec.cluster_name} is run by an operator; {_SOCKET_HINT}"),
            take=self._take,
            readers=readers,
        )

    async def start(self) -> None:
        """Begin to scale; raises what making the engine raised."""
        await self._served.start()

    async def close(self) -> None:
        """End; what the provider was asked for last is done, or has failed, when this returns."""
        await self._served.close()
        with self._lock:  # what was ordered after the last picture
            self._orders = orders_in(self._reconciler.memory)
        await asyncio.to_thread(self._pool.shutdown, wait=True)

    def reload(self, spec: ClusterSpec) -> None:
        """Go on with what the RayCluster says now."""
        with self._lock:
            self._spec = spec
        self._served.reload_soon("the RayCluster changed")

    async def replace(self, pods: tuple[str, ...], by: str) -> Ack:
        """Have pods drained and terminated."""
        return await self._served.command(Terminate(pods), by, "")

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest picture."""
        with self._lock:
            return self._snapshot

    @property
    def orders(self) -> Orders:
        """What people have ordered, as of the newest picture; after the end, all of it."""
        with self._lock:
            return self._orders

    def fresh_events(self) -> list[Event]:
        """Lines of the journal that were not asked for before, oldest first."""
        with self._lock:
            found = self._snapshot.events if self._snapshot is not None else ()
            fresh = [event for event in reversed(found) if event.event_id > self._told]
            self._told = max((event.event_id for event in fresh), default=self._told)
        return fresh

    # In the engine's thread.

    def _make(self) -> Engine:
        spec, provider = self._spec, self._provider
        ledger = Ledger(None)
        ledger.save_memory(remembered(self._orders))
        info = info_of(
            spec,
            gcs_address=provider.head_address(),
            dashboard_url=provider.dashboard_url(),
            daemon_pid=os.getpid(),
        )
        ray = StartingRay(provider.head_address, self._head_starts)
        self._reconciler = Reconciler(spec, provider, ray, ledger, info=info, pool=self._pool)
        return self._reconciler

    def _reload(self, engine: Engine) -> Ack:
        with self._lock:
            spec = self._spec
        return Ack(True, engine.reload(spec))

    def _take(self, snapshot: Snapshot) -> None:
        self.monitor.take(snapshot)
        with self._lock:
            self._snapshot = snapshot
            self._orders = orders_in(self._reconciler.memory)
        self._news()
