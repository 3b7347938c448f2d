"""The cluster file as a running daemon follows it: read again when it changed, refused when bad."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from raytui.autoscaler.engine import Engine
from raytui.backends.base import ProviderError
from raytui.config.launched import recall, remember
from raytui.config.locations import ClusterPaths
from raytui.config.problems import ConfigErrors
from raytui.model.command import Ack
from raytui.model.snapshot import Level
from raytui.model.spec import ClusterSpec
from raytui.model.text import count_text, first_line
from raytui.provisioning.target import UnknownClusterError, cluster_of


def _as_it_is(spec: ClusterSpec) -> ClusterSpec:
    return spec


_FILL_EVERY_S = 30.0
_WHAT = "the cluster file"

_Stamp = tuple[int, int, int]
"""Modification time in nanoseconds, size, inode: an editor changes at least one of them."""


class ClusterFile:
    """What `target` (a file, or the name of a launched cluster) stands for, read again and again.

    `changed` and `reload` may be called from different threads, not at the same time.
    """

    def __init__(
        self,
        target: str,
        paths: ClusterPaths,
        source: str,
        *,
        fill: Callable[[ClusterSpec], ClusterSpec] = _as_it_is,
        follows: bool = True,
    ) -> None:
        """`source` is the file that the daemon was started with; empty when there was none.

        A file that it does not follow is read again only when somebody says so (`reload`).
        `fill` completes what was read by what is known of the machines at that moment.
        """
        self._fill = fill
        self._read_as: ClusterSpec | None = None
        self._filled_as: ClusterSpec | None = None
        self._filled_at = 0.0
        self._target = target
        self._paths = paths
        self._file = Path(source) if source and follows else None
        self._stamp = self._look()
        self._settled = self._stamp
        self._digest = self._read()

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """What was read, completed; when that would be something else, it counts as changed."""
        filled = self._fill(spec)
        self._read_as, self._filled_as = spec, filled
        self._filled_at = time.monotonic()
        return filled

    def changed(self) -> bool:
        """Whether it is time to `reload`: the file is another, or more of the machines is known."""
        return self._has_new_content() or self._knows_more()

    def _knows_more(self) -> bool:
        now = time.monotonic()
        if self._read_as is None or now - self._filled_at < _FILL_EVERY_S:
            return False
        self._filled_at = now
        return self._fill(self._read_as) != self._filled_as

    def _has_new_content(self) -> bool:
        """Whether there is a content that was not there before, and nobody is writing it any more.

        To be asked about once a second. A new content counts when two looks in a row found the
        same file; a file that is away (editors replace it) has not changed. True once for each
        content.
        """
        before, self._stamp = self._stamp, self._look()
        if self._stamp is None or self._stamp == self._settled or self._stamp != before:
            return False
        self._settled = self._stamp
        known, self._digest = self._digest, self._read()
        return self._digest not in (None, known)

    def reload(self, engine: Engine) -> Ack:
        """Read the file and give it to the engine; a bad one, or another cluster's, is refused.

        Both ends are written into the journal, a refusal with every problem by line.
        """
        old = recall(self._paths)
        self._digest = self._read()
        try:
            spec = cluster_of(old.source if old is not None and old.source else self._target)
        except (ConfigErrors, UnknownClusterError) as error:
            return refuse(engine, _WHAT, str(error))
        if old is not None and _identity(spec) != _identity(old):
            return refuse(engine, _WHAT, "cluster_name and provider cannot change while it is up")
        known = self._filled_as
        try:
            filled = self.fill(spec)
        except ProviderError as error:
            return refuse(engine, _WHAT, str(error))
        changes = give(engine, old, spec, filled, known)
        remember(self._paths, spec)
        return Ack(True, changes)

    def _look(self) -> _Stamp | None:
        try:
            status = self._file.stat() if self._file is not None else None
        except OSError:
            return None
        return (status.st_mtime_ns, status.st_size, status.st_ino) if status is not None else None

    def _read(self) -> bytes | None:
        """A digest of the content. Whether it is any good is for `reload` to say."""
        try:
            data = self._file.read_bytes() if self._file is not None else None
        except OSError:
            return None
        return hashlib.sha256(data).digest() if data is not None else None


def _identity(spec: ClusterSpec) -> tuple[object, ...]:
    return (spec.cluster_name, spec.provider)


def give(
    engine: Engine,
    old: ClusterSpec | None,
    new: ClusterSpec,
    filled: ClusterSpec,
    known: ClusterSpec | None,
) -> str:
    """Have the engine go on with `new`, as it was `filled`; returns what changed in one line.

    `known` is what it goes on with now.
    """
    if new == old and known in (None, filled):
        return "reloaded: nothing changed"
    if old is not None and new.metrics != old.metrics:
        # Who scrapes should not have to follow a port about: that waits for a moment of choice.
        later = "metrics move when the daemon is started again"
        engine.note(Level.INFO, later)
        moved = msgspec.structs.replace(
            old, metrics=new.metrics, metadata=new.metadata, written=new.written
        )
        if new == moved:
            return later
    return engine.reload(filled)


def refuse(engine: Engine, what: str, why: str) -> Ack:
    """Write into the journal that a new content of `what` is not gone on with."""
    more = len(why.splitlines()) - 1
    rest = f" (and {count_text(more, 'more problem')})" if more else ""
    engine.note(Level.WARNING, f"{what} was refused: {first_line(why)}{rest}", why)
    return Ack(False, f"nothing was changed: {why}")
