"""What EC2 was asked for and what it gave, on disk before and after each call.

EC2 tells of a new instance some seconds after it has made it, and a reply may be lost. Here is
written what a repeated launch needs to get the same instances and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

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
    ended: tuple[str, ...] = ()
    """Of those given, our ids of what was told to end since."""

    @property
    def is_open(self) -> bool:
        """Whether it may have made instances that we were not told of."""
        return not self.refused and not self.given


class _Content(Struct, frozen=True):
    version: int
    requests: dict[str, tuple[Attempt, ...]]


_VERSION = 1
_NOTHING: dict[str, tuple[Attempt, ...]] = {}


class Journal:
    """Changed by one at a time, also among processes, and whole on disk when a method returns."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._lock = path.with_suffix(".lock")
        self._stamp: tuple[int, ...] = ()
        self._content: dict[str, tuple[Attempt, ...]] = {}
        self._given: tuple[object, float, tuple[Instance, ...]] = (None, 0.0, ())

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
            self._write(requests)

    def end(self, instance_ids: Iterable[str]) -> None:
        """Note that these were told to end: who reads this next is not to wait for them."""
        ending = set(instance_ids)
        with locked(self._lock):
            before = self._load()
            requests = {name: tuple(_ended(a, ending) for a in t) for name, t in before.items()}
            if requests != before:
                self._write(requests)

    def given_since(self, since: float) -> tuple[Instance, ...]:
        """The instances of all calls made at or after `since`, Unix seconds, the newest last.

        Without those that were told to end. The same object as before when nothing was written in
        between.
        """
        known = self._load()
        of, asked, given = self._given
        if of is not known or asked != since:
            attempts = [a for tried in known.values() for a in tried if a.at >= since]
            newest_last = sorted(attempts, key=lambda attempt: attempt.at)
            given = tuple(i for a in newest_last for i in a.given if i.instance_id not in a.ended)
            self._given = (known, since, given)
        return given

    def _write(self, requests: dict[str, tuple[Attempt, ...]]) -> None:
        write_durably(self._path, encode(_Content(_VERSION, requests)))

    def _load(self) -> dict[str, tuple[Attempt, ...]]:
        """What is on disk, read again when it is another file than before."""
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._content = _requests_in(self._path.read_bytes())
                self._stamp = stamp
        except FileNotFoundError:
            return _NOTHING
        return self._content


def _ended(attempt: Attempt, ending: Set[str]) -> Attempt:
    gone = [i.instance_id for i in attempt.given if i.instance_id in ending]
    new = tuple(name for name in gone if name not in attempt.ended)
    return replace(attempt, ended=(*attempt.ended, *new)) if new else attempt


def _requests_in(data: bytes) -> dict[str, tuple[Attempt, ...]]:
    try:
        content = decode(data, _Content)
    except msgspec.DecodeError:
        # Tokens and tags at EC2 still keep a repeated request from making more.
        return {}
    return content.requests if content.version == _VERSION else {}
