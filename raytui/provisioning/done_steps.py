"""Which steps of a node's set-up are done, on disk: a later run goes on where an earlier ended."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

import msgspec

from raytui.config.durable import write_durably


def read_done(path: Path) -> frozenset[str]:
    """The keys of the steps that were done; none when there is no file, or none to be read."""
    try:
        return frozenset(msgspec.json.decode(path.read_bytes(), type=list[str]))
    except (OSError, msgspec.DecodeError):
        return frozenset()


def write_done(path: Path, keys: Collection[str]) -> None:
    """Note which steps are done."""
    write_durably(path, msgspec.json.encode(sorted(keys)))


def forget_done(path: Path) -> None:
    """The whole work is done, and the next one is another."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
