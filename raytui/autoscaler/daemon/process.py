"""The daemon: one engine in its thread, the control socket beside it, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from raytui import __version__
from raytui.autoscaler.daemon.actor_lock import ActorLock
from raytui.autoscaler.daemon.engine_thread import EngineStoppedError, EngineThread
from raytui.autoscaler.daemon.failed_rounds import FailedRounds, TooManyFailuresError
from raytui.autoscaler.daemon.log import bound_output, note, start_log
from raytui.autoscaler.daemon.server import AnswerError, Server
from raytui.autoscaler.daemon.service_notice import notify
from raytui.autoscaler.engine import Engine
from raytui.autoscaler.metrics.monitor import Monitor
from raytui.config.locations import ClusterPaths
from raytui.model import wire
from raytui.model.command import Ack, Command, Impact, Reload, Stop
from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step

_log = logging.getLogger(__name__)

_LAST_TICK_S = 30.0
"""How long the end waits for a tick under way; its intent is in the ledger in any case."""

_LOOK_EVERY_S = 1.0
"""How often the cluster file is looked at."""

T = TypeVar("T")

ReloadEngine = Callable[[Engine], Ack]
"""Reads the cluster's YAML again and gives it to the engine; called in the engine's thread."""


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
        self._make = make
        self._reload = reload
        self._changed = changed
        self._monitor = monitor or Monitor(cluster, paths.ledger)
        self._failed_rounds = FailedRounds()
        self._given_up: TooManyFailuresError | None = None
        self._stopped = asyncio.Event()
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="reader")
        self._thread: EngineThread
        self._engine: Engine

    async def run(self) -> None:
        """Run until a signal or a Stop command.

        Raises what making the engine raised, and TooManyFailuresError.
        """
        loop = asyncio.get_running_loop()
        hello = wire.Hello(wire.PROTOCOL, __version__, self._cluster, os.getpid())
        server = Server(self._paths.socket, hello, self)

        def show(snapshot: Snapshot) -> None:
            server.publish(snapshot)
            self._judge(snapshot)

        def publish(snapshot: Snapshot) -> None:
            try:
                self._monitor.take(snapshot)
            except Exception:  # Who only counts may not stop who acts.
                _log.exception("metrics failed")
            # A tick that outlives the loop has nobody left to show its snapshot to.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(show, snapshot)

        self._thread = EngineThread(self._make, publish, watched=lambda: server.watched)
        self._engine = await asyncio.wrap_future(self._thread.start())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon, "SIGHUP")
        following = asyncio.create_task(self._follow(), name="follow the cluster file")
        try:
            await server.start()
            note(_log, logging.INFO, "daemon started", cluster=self._cluster, pid=os.getpid())
            notify("READY=1")
            await self._stopped.wait()
        finally:
            notify("STOPPING=1")
            following.cancel()
            self._thread.stop()
            await server.close()
            ended = await asyncio.to_thread(self._thread.join, _LAST_TICK_S)
            self._readers.shutdown(wait=False, cancel_futures=True)
            note(_log, logging.INFO, "daemon stopped", cluster=self._cluster, tick_ended=ended)
        if self._given_up is not None:
            raise self._given_up

    async def _follow(self) -> None:
        """Look after what changes by itself: the cluster file, and the size of our output."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            bound_output(self._paths.output)
            if await asyncio.to_thread(self._changed):
                self._reload_soon("the file changed")

    def _reload_soon(self, why: str) -> None:
        note(_log, logging.INFO, "reload", why=why)
        self._thread.submit(self._reload_once).add_done_callback(_log_reload)

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

    def _on_signal(self, number: int) -> None:
        note(_log, logging.INFO, "signal", name=signal.Signals(number).name)
        self._stopped.set()

    async def command(self, command: Command, by: str, command_id: str) -> Ack:
        """Hand a command to the engine's thread; Stop and Reload concern the daemon itself."""
        note(_log, logging.INFO, "command", command=type(command).__name__, by=by)
        if isinstance(command, Stop):
            # After the answer is on its way, and leaving the engine alone: nodes stay.
            asyncio.get_running_loop().call_later(0.05, self._stopped.set)
            return Ack(True, f"the daemon of {self._cluster} stops; its nodes stay")
        if isinstance(command, Reload):
            done = self._thread.submit(self._reload_once)
        else:
            done = self._thread.command(command, by, command_id)
        try:
            ack = await asyncio.wrap_future(done)
        except EngineStoppedError:
            raise AnswerError(f"the daemon of {self._cluster} is stopping") from None
        except Exception as error:
            raise AnswerError(f"{type(command).__name__} failed: {_one_line(error)}") from error
        # What it says may quote the cluster file; that is for the asker and the journal.
        note(_log, logging.INFO, "command done", ok=ack.ok, by=by)
        return ack

    async def history(self, before: int | None, limit: int) -> Sequence[Decision]:
        """Decisions below an id, newest first."""
        return await self._read(partial(self._engine.history, before, limit))

    async def impact(self, instance_ids: Sequence[str]) -> Sequence[Impact]:
        """What dies with these instances."""
        return await self._read(partial(self._engine.impact, instance_ids))

    async def log_tail(self, instance_id: str, lines: int) -> Sequence[str]:
        """The end of an instance's log."""
        return await self._read(partial(self._engine.log_tail, instance_id, lines))

    async def setup_steps(self) -> Sequence[Step]:
        """How far the set-up of nodes is."""
        return await self._read(self._engine.setup_steps)

    async def step_output(self, node: str, name: str, lines: int) -> Sequence[str]:
        """The end of what one set-up step has printed."""
        return await self._read(partial(self._engine.step_output, node, name, lines))

    async def _read(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, question)
        except Exception as error:  # One question fails, its asker is told.
            _log.exception("question failed")
            raise AnswerError(_one_line(error)) from error


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


def _log_reload(done: Future[Ack]) -> None:
    """Note how a reload ended that nobody waits for."""
    if error := done.exception():
        note(_log, logging.ERROR, "reload failed", error=_one_line(error))
    else:
        note(_log, logging.INFO, "reload done", ok=done.result().ok)


def _one_line(error: BaseException) -> str:
    text: Any = str(error) or type(error).__name__
    return " ".join(str(text).split())
