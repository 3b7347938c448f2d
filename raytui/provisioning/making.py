"""One worker on its way from a machine to a node, and in line with the cluster file afterwards."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path

import msgspec
from msgspec import Struct

from raytui.backends.base import Machines, ProviderError
from raytui.model.state import Instance
from raytui.model.step import Step, StepStatus
from raytui.provisioning.deciding import Change, Restarts, decide
from raytui.provisioning.hashes import NodeHashes
from raytui.provisioning.node_setup import NodeSetup
from raytui.provisioning.node_tags import half_done, hashes_in, made_from, ray_started_in
from raytui.provisioning.node_update import NodeUpdate, Updated, node_directory, update_node
from raytui.provisioning.shown_steps import ShownSteps

_log = logging.getLogger(__name__)

PAUSES_S = (5.0, 30.0, 120.0)
"""How long after each failure of a step it is tried again; after the last it is given up."""

_BESIDE = "read and note"
"""The step under which it is told what failed beside the steps."""
_LINES_TOLD = 20
"""Of the output of a step that is given up; its file has all."""
_CLOSE_EVERY_S = 0.2


class Task(Struct, frozen=True):
    """What a worker is to become."""

    setup: NodeSetup
    cluster_name: str
    edition: int
    """Of the cluster file."""
    restarts: Restarts = Restarts()
    is_new: bool = False
    """Its machine is made for it, and has its user only when it has booted."""
    only_files_move: bool = False
    """Within an edition only what is in the files changes, and what runs stays as it is then."""


class Making:
    """One worker. `work` runs in a thread of its own; the rest is quick and may be asked by any."""

    def __init__(
        self, instance: Instance, machines: Machines, directory: Path, shown: ShownSteps
    ) -> None:
        self.instance_id = instance_id = instance.instance_id
        self.node_type = instance.node_type
        self.instance_type = instance.instance_type
        self._machine = instance.ip
        self._machines = machines
        self._directory = directory
        self._shown = shown
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._edition: int | None = None
        """Of the cluster file that it was last found or brought in line with."""
        written = machines.tags(instance_id)
        self.known = hashes_in(written)
        """What the machine was made from."""
        self.ray_started_at = ray_started_in(written)
        """Unix seconds; 0 until Ray was started for this instance."""
        self.given_up = ""
        """Why nothing more is tried; empty while something is."""
        self.try_at: float | None = None
        """When it is tried (again), by time.monotonic; None while there is nothing to do."""
        if self.is_fresh:
            self.try_at = time.monotonic()

    @property
    def folder(self) -> Path:
        """Where its output is."""
        return node_directory(self._directory, self.instance_id)

    @property
    def is_stopping(self) -> bool:
        """It is to end, or has ended."""
        return self._stopping.is_set()

    @property
    def is_due(self) -> bool:
        """It is time for a try."""
        return not self.is_stopping and self.try_at is not None and time.monotonic() >= self.try_at

    @property
    def is_settled(self) -> bool:
        """It is a node, and nothing is to be done on it."""
        done = not self.is_fresh and not self.given_up and self.try_at is None
        return done and not self.is_stopping

    @property
    def is_fresh(self) -> bool:
        """Ray was never started for this instance."""
        return not self.ray_started_at

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def close_until(self, work: Future[None], deadline: float) -> None:
        """End what runs until `work` is back: a command may begin just after a close."""
        work.cancel()
        while not work.done() and time.monotonic() < deadline:
            with contextlib.suppress(ProviderError):
                self._machines.runner(self.instance_id).close()
            wait([work], timeout=_CLOSE_EVERY_S)

    def compare(self, wanted: NodeHashes, edition: int) -> None:
        """Find something to do on a settled one when it is not what is wanted."""
        change = decide(self.known, wanted, is_head=False).change
        if change is Change.NOTHING:
            self._edition = edition
        elif change is Change.RELAUNCH:
            self._tell_of_relaunch()
        else:
            self.try_at = time.monotonic()

    def try_now(self) -> bool:
        """Wait no longer for the next try; False when none is due."""
        with self._lock:
            if self.try_at is None and not self.given_up:
                return False
            self._failures.clear()
            self.given_up = ""
            self.try_at = time.monotonic()
            return True

    def work(self, task: Callable[[], Task]) -> None:
        """Do what there is to do, once; a failure leads to another try or to giving up."""
        with self._lock:
            self.try_at = None
        self._shown.begin(self.instance_id)
        try:
            updated = self._update(task())
        except Exception as error:
            updated = self._not_begun(error)
        if self.is_stopping:
            return
        if updated.error:
            self._failed(updated)
        else:
            self._shown.finish(self.instance_id)
            self._failures.clear()

    def _not_begun(self, error: Exception) -> Updated:
        """It failed beside the steps: before the first, or when its end was to be written down."""
        words = str(error)
        if not isinstance(error, ProviderError | OSError):
            _log.error("setting %s up failed", self.instance_id, exc_info=error)
            words = f"{type(error).__name__}: {words}"
        now = time.time()
        self._shown(Step(self.instance_id, _BESIDE, StepStatus.FAILED, now, now, words))
        return Updated(self.instance_id, Change.NOTHING, error=words, failed_step=_BESIDE)

    def _update(self, task: Task) -> Updated:
        wanted = task.setup.hashes
        known = self.known
        if task.only_files_move and self._edition == task.edition and not self.is_fresh:
            known = msgspec.structs.replace(known, runtime=wanted.runtime)
        elif known.runtime and known.runtime != wanted.runtime:
            self._machines.tag(self.instance_id, half_done())
        update = NodeUpdate(
            setup=task.setup,
            machine=self._machine,
            host=self._machines.runner(self.instance_id),
            cluster_name=task.cluster_name,
            known=known,
            fresh=self.is_fresh,
            is_new=task.is_new and self.is_fresh,
            restarts=task.restarts,
        )
        updated = update_node(update, self._directory, self._shown, self._stopping)
        if updated.change is Change.RELAUNCH:
            self._tell_of_relaunch()
        elif not updated.error:
            restarted = updated.change is Change.SET_UP and not task.restarts.no_restart
            self._done(updated.hashes, restarted=restarted)
            self._edition = task.edition
        return updated

    def _done(self, hashes: NodeHashes, *, restarted: bool) -> None:
        started_at = time.time() if restarted or self.is_fresh else self.ray_started_at
        self._machines.tag(self.instance_id, made_from(hashes, started_at))
        self.known = hashes
        self.ray_started_at = started_at

    def _tell_of_relaunch(self) -> None:
        words = (
            "the cluster file wants another machine (node_config or auth): terminate it to get one"
        )
        now, name = time.time(), "compare with the cluster file"
        self._shown(Step(self.instance_id, name, StepStatus.SKIPPED, now, now, words))

    def _failed(self, updated: Updated) -> None:
        with self._lock:
            failures = self._failures.get(updated.failed_step, 0)
            self._failures = {updated.failed_step: failures + 1}
            if updated.is_final or failures >= len(PAUSES_S):
                self.given_up = "\n".join([updated.error, *_end_of(updated.detail)])
                return
            pause = PAUSES_S[failures]
            self.try_at = time.monotonic() + pause
        self._shown.fails_until(self.instance_id, time.time() + pause)


def _end_of(output: str) -> list[str]:
    return output.splitlines()[-_LINES_TOLD:]
