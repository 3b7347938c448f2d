"""The daemon of one cluster: its served engine, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from raytui.autoscaler.daemon.actor_lock import ActorLock
from raytui.autoscaler.daemon.failed_rounds import FailedRounds, TooManyFailuresError
from raytui.autoscaler.daemon.log import bound_output, note, start_log
from raytui.autoscaler.daemon.served_engine import ReloadEngine, ServedEngine
from raytui.autoscaler.daemon.service_notice import notify
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.metrics.monitor import Monitor
from raytui.config.locations import ClusterPaths
from raytui.model.command import Ack
from raytui.model.snapshot import Snapshot

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
"""How often the cluster file is looked at."""


def _never() -> bool:
    return False


class Daemon:
    """Serves one engine to many clients until it is stopped."""

    def __init__(
        self,
        cluster: str,
        paths: ClusterPaths,
        make: Callable[[], Engine],
        reload: ReloadEngine,
        *,
        changed: Callable[[], bool] = _never,
        monitor: Monitor | None = None,
    ) -> None:
        """`changed` is asked once a second, in a thread, whether it is time to `reload`."""
        self._cluster = cluster
        self._paths = paths
        self._reload = reload
        self._changed = changed
        self._monitor = monitor or Monitor(cluster, paths.ledger)
        self._failed_rounds = FailedRounds()
        self._given_up: TooManyFailuresError | None = None
        self._stopped = asyncio.Event()
        self._served = ServedEngine(
            cluster,
            paths,
            make,
            self._reload_once,
            stop=self._stop,
            take=self._monitor.take,
            show=self._judge,
        )

    async def run(self) -> None:
        """Run until a signal or a Stop command.

        Raises what making the engine raised, and TooManyFailuresError.
        """
        loop = asyncio.get_running_loop()
        await self._served.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._served.reload_soon, "SIGHUP")
        following = asyncio.create_task(self._follow(), name="follow the cluster file")
        try:
            note(_log, logging.INFO, "daemon started", cluster=self._cluster, pid=os.getpid())
            notify("READY=1")
            await self._stopped.wait()
        finally:
            notify("STOPPING=1")
            following.cancel()
            ended = await self._served.close()
            note(_log, logging.INFO, "daemon stopped", cluster=self._cluster, tick_ended=ended)
        if self._given_up is not None:
            raise self._given_up

    async def _follow(self) -> None:
        """Look after what changes by itself: the cluster file, and the size of our output."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            bound_output(self._paths.output)
            if await asyncio.to_thread(self._changed):
                self._served.reload_soon("the file changed")

    def _reload_once(self, engine: Engine) -> Ack:
        ack = self._reload(engine)
        if not ack.ok:
            self._monitor.reload_refused()
        return ack

    def _judge(self, snapshot: Snapshot) -> None:
        """End when too many rounds have failed."""
        try:
            self._failed_rounds.take(snapshot)
        except TooManyFailuresError as error:
            note(_log, logging.ERROR, "giving up", why=str(error))
            self._given_up = self._given_up or error
            self._stopped.set()

    def _stop(self) -> Ack:
        # After the answer is on its way, and leaving the engine alone: nodes stay.
        asyncio.get_running_loop().call_later(0.05, self._stopped.set)
        return Ack(True, f"the daemon of {self._cluster} stops; its nodes stay")

    def _on_signal(self, number: int) -> None:
        note(_log, logging.INFO, "signal", name=signal.Signals(number).name)
        self._stopped.set()


def run_daemon(
    cluster: str,
    paths: ClusterPaths,
    make: Callable[[], Engine],
    reload: ReloadEngine,
    *,
    changed: Callable[[], bool] = _never,
    monitor: Monitor | None = None,
    on_stderr: bool = True,
) -> None:
    """Be the one daemon of a cluster until SIGTERM, SIGINT or a Stop command.

    SIGHUP, and `changed`, which is asked once a second, make it `reload`. Raises LockHeldError
    when another process acts on this cluster, BadSettingError, TooManyFailuresError, and whatever
    `make` raises.
    """
    paths.make()
    # Never let go: a provider call under way may outlive the loop, and until the process ends
    # nobody else may act.
    ActorLock(paths.lock).take()
    start_log(paths.log, on_stderr=on_stderr)
    asyncio.run(Daemon(cluster, paths, make, reload, changed=changed, monitor=monitor).run())
