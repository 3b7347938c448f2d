"""Which steps of a node's set-up are done, on disk: a later run goes on where an earlier ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

import msgspec


def read_done(path: Path) -> frozenset[str]:
    """The keys of the steps that were done; none when there is no file, or none to be read."""
    try:
        return frozenset(msgspec.json.decode(path.read_bytes(), type=list[str]))
    except (OSError, msgspec.DecodeError):
        return frozenset()


def write_done(path: Path, keys: Collection[str]) -> None:
    """Note which steps are done. A crash leaves the file as it was or as it should be."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(sorted(keys)))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def forget_done(path: Path) -> None:
    """The whole work is done, and the next one is another."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
