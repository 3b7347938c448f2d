"""What EC2 was asked for and what it gave, on disk before and after each call.

EC2 tells of a new instance some seconds after it has made it, and a reply may be lost. Here is
written what a repeated launch needs to get the same instances and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from raytui.config.durable import locked, write_durably
from raytui.model.codec import decode, encode
from raytui.model.spec import Offering
from raytui.model.state import Instance

_KEPT_S = 24 * 3600.0
"""No request is repeated after that, and EC2 may have forgotten its token."""


class Attempt(Struct, frozen=True, omit_defaults=True):
    """One call that was to make instances; its outcome is unknown while neither part is set."""

    token: str
    """EC2's ClientToken; empty when stopped instances were started instead."""
    at: float
    """Unix seconds."""
    count: int
    offering: Offering = Offering()
    subnet: str = ""
    refused: str = ""
    """AWS's words when it made none."""
    given: tuple[Instance, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it may have made instances that we were not told of."""
        return not self.refused and not self.given


class _Content(Struct, frozen=True):
    version: int
    requests: dict[str, tuple[Attempt, ...]]


_VERSION = 1


class Journal:
    """Changed by one at a time, also among processes, and whole on disk when a method returns."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = path.with_suffix(".lock")

    def attempts(self, request_id: str) -> tuple[Attempt, ...]:
        """What was tried for a request, in order; empty for one that is new."""
        return self._load().get(request_id, ())

    def note(self, request_id: str, attempt: Attempt) -> None:
        """Write an attempt down, or how the one with the same token ended."""
        with locked(self._lock):
            oldest = self._clock() - _KEPT_S
            requests = {
                name: tried
                for name, tried in self._load().items()
                if name == request_id or tried[-1].at >= oldest
            }
            before = requests.get(request_id, ())
            same = [a for a in before if a.token and a.token == attempt.token]
            requests[request_id] = (
                tuple(attempt if a in same else a for a in before) if same else (*before, attempt)
            )
            write_durably(self._path, encode(_Content(_VERSION, requests)))

    def given_since(self, since: float) -> list[Instance]:
        """The instances of all calls made at or after `since`, Unix seconds, the newest last."""
        attempts = [a for tried in self._load().values() for a in tried if a.at >= since]
        return [i for attempt in sorted(attempts, key=lambda a: a.at) for i in attempt.given]

    def _load(self) -> dict[str, tuple[Attempt, ...]]:
        try:
            content = decode(self._path.read_bytes(), _Content)
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError:
            # Tokens and tags at EC2 still keep a repeated request from making more.
            return {}
        return content.requests if content.version == _VERSION else {}
