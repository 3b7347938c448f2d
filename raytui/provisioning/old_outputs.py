"""What set-ups have printed is kept for a while after their nodes are gone, and not for ever."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

_KEPT = 100
"""Nodes that are gone and whose output stays."""


def clear_old_outputs(directory: Path, alive: Collection[Path], kept: int = _KEPT) -> None:
    """Remove the folders of nodes that are gone, but for the newest; those `alive` all stay."""
    try:
        folders = [(path.stat().st_mtime, path) for path in directory.iterdir() if path.is_dir()]
    except OSError:
        return  # There are none yet, or somebody else clears them away.
    gone = sorted(pair for pair in folders if pair[1] not in alive)
    for _, path in gone[: max(0, len(gone) - kept)]:
        shutil.rmtree(path, ignore_errors=True)
