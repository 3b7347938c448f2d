"""What a machine was made into, read from its tags and written there (backends/tags.py)."""

from __future__ import annotations

from collections.abc import Mapping

from raytui.backends import tags
from raytui.provisioning.hashes import NodeHashes


def hashes_in(written: Mapping[str, str]) -> NodeHashes:
    """The hashes that a machine was set up from; empty ones where nobody knows."""
    names = (tags.LAUNCH, tags.RUNTIME, tags.CONTENTS)
    return NodeHashes(*(written.get(name, "") for name in names))


def ray_started_in(written: Mapping[str, str]) -> float:
    """Unix seconds when Ray was started for this instance; 0 when it was not yet."""
    try:
        return float(written.get(tags.RAY_STARTED) or 0)
    except ValueError:
        return 0.0


def half_done() -> dict[str, str]:
    """For a machine on which a set-up begins: until that is done, it was made from nothing."""
    return {tags.STATUS: "setting-up", tags.RUNTIME: "", tags.CONTENTS: ""}


def failed() -> dict[str, str]:
    """For a machine whose set-up ended before its time."""
    return {tags.STATUS: "update-failed"}


def made_from(hashes: NodeHashes, ray_started_at: float) -> dict[str, str]:
    """For a machine that is done."""
    return {
        tags.STATUS: "up-to-date",
        tags.LAUNCH: hashes.launch,
        tags.RUNTIME: hashes.runtime,
        tags.CONTENTS: hashes.contents,
        tags.RAY_STARTED: f"{ray_started_at:.3f}",
    }
