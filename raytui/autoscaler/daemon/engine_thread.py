"""The one thread in which an engine lives: it ticks there, and commands are handed in."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from raytui.autoscaler.engine import Engine
from raytui.model.command import Ack, Command
from raytui.model.snapshot import ClusterInfo, Snapshot

_LOOK_EVERY_S = 0.15
"""How often the engine is asked whether it is due; a command wakes the thread at once."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

_log = logging.getLogger(__name__)

Work = Callable[[Engine], Ack]
Publish = Callable[[Snapshot], None]


class EngineStoppedError(Exception):
    """The thread ended before it could do what was asked."""


class EngineThread:
    """Runs an engine made by `make` until `stop`, handing every snapshot to `publish`.

    `publish` is called in this thread, and `watched`, which tells whether anybody looks. Snapshots
    get our own `seq`, one higher each time, so that a snapshot that reports a crashed tick has its
    place among the engine's.
    """

    def __init__(
        self,
        make: Callable[[], Engine],
        publish: Publish,
        info: ClusterInfo | None = None,
        watched: Callable[[], bool] = lambda: True,
    ) -> None:
        self._make = make
        self._publish = publish
        self._watched = watched
        self._last = Snapshot(info or ClusterInfo("", ""), seq=0, taken_at=0.0)
        self._todo: queue.SimpleQueue[tuple[Work, Future[Ack]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._made: Future[Engine] = Future()
        self._stopping = False
        self._pause = 0.0
        self._resume_at = 0.0

    def start(self) -> Future[Engine]:
        """Start; the future holds the engine, or the error that making it raised."""
        self._thread.start()
        return self._made

    def submit(self, work: Work) -> Future[Ack]:
        """Have `work` done in the thread, followed by a tick."""
        done: Future[Ack] = Future()
        if self._stopping:
            done.set_exception(EngineStoppedError())
        else:
            self._todo.put((work, done))
        return done

    def command(self, command: Command, by: str, command_id: str = "") -> Future[Ack]:
        """Have the engine carry out a command."""
        return self.submit(lambda engine: engine.command(command, by, command_id))

    def stop(self) -> None:
        """Ask the thread to end after what it is doing now."""
        self._stopping = True
        self._todo.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False when it did not come in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            engine = self._make()
        except BaseException as error:
            self._made.set_exception(error)
            return
        self._made.set_result(engine)
        try:
            self._loop(engine)
        finally:
            engine.close()
            self._refuse_rest()

    def _loop(self, engine: Engine) -> None:
        self._tick(engine)
        while not self._stopping:
            if self._work(engine) or self._due(engine):
                self._tick(engine)

    def _work(self, engine: Engine) -> bool:
        """Do what is queued, waiting a moment for it; True when something was done."""
        worked, wait = False, _LOOK_EVERY_S
        while True:
            try:
                item = self._todo.get(timeout=wait)
            except queue.Empty:
                return worked
            if item is None:
                return False
            work, done = item
            try:
                done.set_result(work(engine))
            except Exception as error:  # Its asker is told; the loop goes on.
                _log.exception("command failed")
                done.set_exception(error)
            worked, wait = True, 0.0

    def _due(self, engine: Engine) -> bool:
        if time.monotonic() < self._resume_at:
            return False
        try:
            return engine.due(self._watched())
        except Exception as error:
            self._trouble(error)
            return False

    def _tick(self, engine: Engine) -> None:
        try:
            snapshot = engine.tick()
        except Exception as error:
            self._trouble(error)
        else:
            self._pause = self._resume_at = 0.0
            self._show(snapshot)

    def _trouble(self, error: Exception) -> None:
        """The engine broke: say so, keep the last picture, and try again after a growing pause."""
        self._pause = min(max(_FIRST_PAUSE_S, 2 * self._pause), _LONGEST_PAUSE_S)
        self._resume_at = time.monotonic() + self._pause
        _log.error("tick failed", exc_info=error, extra={"fields": {"pause_s": self._pause}})
        words = f"{type(error).__name__}: {error}; next try in {self._pause:g} s"
        self._show(msgspec.structs.replace(self._last, trouble=words))

    def _show(self, snapshot: Snapshot) -> None:
        self._last = msgspec.structs.replace(snapshot, seq=self._last.seq + 1)
        self._publish(self._last)

    def _refuse_rest(self) -> None:
        self._stopping = True
        while True:
            try:
                item = self._todo.get_nowait()
            except queue.Empty:
                return
            if item is not None:
                item[1].set_exception(EngineStoppedError())
