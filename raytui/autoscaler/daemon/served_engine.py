"""One engine in its thread with the control socket beside it: what serves a cluster to clients."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from raytui import __version__
from raytui.autoscaler.daemon.engine_thread import EngineStoppedError, EngineThread
from raytui.autoscaler.daemon.log import note
from raytui.autoscaler.daemon.server import AnswerError, Server
from raytui.autoscaler.engine import Engine
from raytui.config.locations import ClusterPaths
from raytui.model import wire
from raytui.model.command import Ack, Command, Impact, Reload, Stop
from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step

_log = logging.getLogger(__name__)

_LAST_TICK_S = 30.0
"""How long the end waits for a tick under way; its intent is in the ledger in any case."""
_READERS = 4

T = TypeVar("T")

ReloadEngine = Callable[[Engine], Ack]
"""Reads anew what the cluster is to be and gives it to the engine; called in its thread."""


class ServedEngine:
    """Several may live in one process. All methods belong to the event loop it was started in."""

    def __init__(
        self,
        cluster: str,
        paths: ClusterPaths,
        make: Callable[[], Engine],
        reload: ReloadEngine,
        *,
        stop: Callable[[], Ack],
        take: Callable[[Snapshot], None],
        show: Callable[[Snapshot], None] = lambda snapshot: None,
        readers: ThreadPoolExecutor | None = None,
    ) -> None:
        """Serve what `make` makes, whose Stop command is answered by `stop`.

        `take` gets every snapshot in the engine's thread, where it may fail; `show` gets it in the
        event loop. `readers`, who answer questions, may be shared among engines.
        """
        self._cluster = cluster
        self._paths = paths
        self._make = make
        self._reload = reload
        self._stop = stop
        self._take = take
        self._show = show
        self._own_readers = readers is None
        self._readers = readers or ThreadPoolExecutor(_READERS, thread_name_prefix="reader")
        self._thread: EngineThread
        self._engine: Engine
        self._server: Server

    async def start(self) -> None:
        """Make the engine, have it tick, and listen; raises what making it raised."""
        loop = asyncio.get_running_loop()
        hello = wire.Hello(wire.PROTOCOL, __version__, self._cluster, os.getpid())
        server = self._server = Server(self._paths.socket, hello, self)

        def show(snapshot: Snapshot) -> None:
            server.publish(snapshot)
            self._show(snapshot)

        def publish(snapshot: Snapshot) -> None:
            try:
                self._take(snapshot)
            except Exception:  # Who only looks on may not stop who acts.
                _log.exception("a snapshot was not taken in")
            # A tick that outlives the loop has nobody left to show its snapshot to.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(show, snapshot)

        self._thread = EngineThread(self._make, publish, watched=lambda: server.watched)
        self._engine = await asyncio.wrap_future(self._thread.start())
        try:
            await server.start()
        except BaseException:
            self._thread.stop()
            raise

    async def close(self, wait_s: float = _LAST_TICK_S) -> bool:
        """Stop ticking, end all connections; whether a tick under way has ended in time, too."""
        self._thread.stop()
        await self._server.close()
        ended = await asyncio.to_thread(self._thread.join, wait_s)
        if self._own_readers:
            self._readers.shutdown(wait=False, cancel_futures=True)
        return ended

    def reload_soon(self, why: str) -> None:
        """Have the engine reload; nobody waits for it."""
        note(_log, logging.INFO, "reload", why=why, cluster=self._cluster)
        self._thread.submit(self._reload).add_done_callback(_log_reload)

    async def command(self, command: Command, by: str, command_id: str) -> Ack:
        """Hand a command to the engine's thread; Stop and Reload concern who runs it."""
        what = type(command).__name__
        note(_log, logging.INFO, "command", command=what, by=by, cluster=self._cluster)
        if isinstance(command, Stop):
            return self._stop()
        if isinstance(command, Reload):
            done = self._thread.submit(self._reload)
        else:
            done = self._thread.command(command, by, command_id)
        try:
            ack = await asyncio.wrap_future(done)
        except EngineStoppedError:
            raise AnswerError(f"the daemon of {self._cluster} is stopping") from None
        except Exception as error:
            raise AnswerError(f"{what} failed: {_one_line(error)}") from error
        # What it says may quote the cluster file; that is for the asker and the journal.
        note(_log, logging.INFO, "command done", ok=ack.ok, by=by, cluster=self._cluster)
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


def _log_reload(done: Future[Ack]) -> None:
    """Note how a reload ended that nobody waits for."""
    if error := done.exception():
        note(_log, logging.ERROR, "reload failed", error=_one_line(error))
    else:
        note(_log, logging.INFO, "reload done", ok=done.result().ok)


def _one_line(error: BaseException) -> str:
    text: Any = str(error) or type(error).__name__
    return " ".join(str(text).split())
