"""Whether the files that nodes are given have changed (`file_mounts_sync_continuously`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from raytui.model.spec import FilesSpec

_EVERY_S = 10.0

_Stamp = tuple[str, int, int]
"""A path, with its size and the time of its last change in nanoseconds."""


class MountedFiles:
    """Looks at them now and then; reads none."""

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        """`steady` tells seconds that nobody can set."""
        self._steady = steady
        self._looked_at = float("-inf")
        self._known: tuple[FilesSpec, frozenset[_Stamp]] | None = None

    def changed(self, files: FilesSpec) -> bool:
        """Whether they are others than at the last look; to be asked at any time.

        The first look only sees how they are, and so does the first at other paths.
        """
        now = self._steady()
        if not files.file_mounts_sync_continuously or now - self._looked_at < _EVERY_S:
            return False
        self._looked_at = now
        before, self._known = self._known, (files, frozenset(_stamps(files)))
        return before is not None and before[0] == files and before[1] != self._known[1]


def _stamps(files: FilesSpec) -> Iterator[_Stamp]:
    for root in {*files.file_mounts.values(), *files.cluster_synced_files}:
        path = Path(root).expanduser()
        yield from _stamp(path)
        for directory, _, names in os.walk(path):
            for name in names:
                yield from _stamp(Path(directory, name))


def _stamp(path: Path) -> Iterator[_Stamp]:
    try:
        status = path.stat()
    except OSError:
        return
    yield str(path), status.st_size, status.st_mtime_ns
