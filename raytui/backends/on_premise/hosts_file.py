"""The state file of a head: which host is whose node, and what is known of every host."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from raytui.backends.on_premise.facts import Facts
from raytui.config.durable import locked, write_durably
from raytui.model.codec import decode, encode


class Stage(StrEnum):
    """How far a claim is."""

    TAKING = "taking"
    """Intended: the host may have our claim or not."""
    WAKING = "waking"
    """Given while its power comes on: it is claimed before anything else is done there."""
    HELD = "held"
    LEAVING = "leaving"
    """Given back: what runs there is being ended."""


class Claim(Struct, frozen=True, omit_defaults=True):
    """One node of ours on a host."""

    instance_id: str
    node_type: str
    request_id: str
    since: float
    """Unix seconds."""
    stage: Stage = Stage.TAKING
    tags: dict[str, str] = {}
    noted: bool = True
    """The host, too, has the tags as they are."""


class HostRecord(Struct, frozen=True, omit_defaults=True):
    """All that is remembered about one host."""

    claim: Claim | None = None
    unclean: tuple[str, ...] = ()
    """Instances of ours that may still have processes there."""
    facts: Facts | None = None
    asked_at: float = 0.0
    """Unix seconds when it was last asked what it has; 0 for never."""
    failures: int = 0
    """How often in a row it could not be had, or did not become a node."""
    error: str = ""
    """The newest of these failures."""
    avoid_until: float = 0.0
    """Unix seconds: before that it is not asked again."""
    off: bool = False
    """We had its power switched off."""


class _Content(Struct, frozen=True):
    version: int
    cluster: str
    head_tags: dict[str, str]
    hosts: dict[str, HostRecord]


_VERSION = 1


class HostsFile:
    """Read at any time; changed by one at a time, whole, and on disk before anything is done."""

    def __init__(self, path: Path, cluster: str) -> None:
        self.path = path
        self._cluster = cluster
        self._lock = path.with_suffix(".lock")
        self._was_there = False
        self.lost = ""
        """What became of a file that could not be read, in words: it is to be rebuilt."""

    def read(self) -> dict[str, HostRecord]:
        """What is known, by host."""
        return self._load().hosts

    def claimed(self, instance_id: str) -> tuple[str, Claim] | None:
        """Host and claim of an instance."""
        for host, record in self.read().items():
            if record.claim is not None and record.claim.instance_id == instance_id:
                return host, record.claim
        return None

    @contextmanager
    def change(self) -> Iterator[dict[str, HostRecord]]:
        """The hosts, to be changed in place; written at the end unless nothing changed."""
        with locked(self._lock):
            content = self._load()
            hosts = dict(content.hosts)
            yield hosts
            if hosts != content.hosts:
                self._write(msgspec.structs.replace(content, hosts=hosts))

    @property
    def head_tags(self) -> dict[str, str]:
        """What was written down with the head."""
        return self._load().head_tags

    def tag_head(self, tags: dict[str, str]) -> None:
        """Write down with the head, beside what is there."""
        with locked(self._lock):
            content = self._load()
            merged = {**content.head_tags, **tags}
            self._write(msgspec.structs.replace(content, head_tags=merged))

    def _load(self) -> _Content:
        try:
            content = decode(self.path.read_bytes(), _Content)
        except FileNotFoundError:
            if self._was_there:
                self.lost = f"{self.path} has vanished"
            return _Content(_VERSION, self._cluster, {}, {})
        except msgspec.DecodeError:
            return self._without_unreadable()
        if (content.version, content.cluster) != (_VERSION, self._cluster):
            return self._without_unreadable()
        self._was_there = True
        return content

    def _without_unreadable(self) -> _Content:
        aside = self.path.with_name(f"{self.path.name}.unreadable-{int(time.time())}")
        try:
            self.path.replace(aside)
        except FileNotFoundError:  # somebody else just did
            return self._load()
        self.lost = f"{self.path} could not be read, it is now {aside}"
        self._was_there = False
        return _Content(_VERSION, self._cluster, {}, {})

    def _write(self, content: _Content) -> None:
        write_durably(self.path, encode(content))
        self._was_there = True
