"""What launch requests asked for and which pods they were given, on disk.

KubeRay makes pods for a number of replicas, not for a request. A request that is made again must
find the pods that were made for it before: those of its group that are new since it was first made
and that no other request was given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from raytui.config.durable import locked, write_durably
from raytui.model.codec import decode, encode

_KEPT_S = 24 * 3600.0
"""No request is repeated after that."""
_LATE_S = 3600.0
"""A pod may come this long after it was asked for, and still be told from one that nobody
asked for."""
_VERSION = 1


class Wish(Struct, frozen=True, omit_defaults=True):
    """So many pods of a group, for one request."""

    group: str
    count: int
    at: float
    """Unix seconds."""
    before: tuple[str, ...] = ()
    """Pods of the group that were there already."""
    given: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """How many have not come."""
        return max(0, self.count - len(self.given))


class _Content(Struct, frozen=True):
    version: int
    requests: dict[str, Wish]


class Wishes:
    """Changed by one at a time, also among processes, and whole on disk when a method returns."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock

    def all(self) -> dict[str, Wish]:
        """By request id, the oldest first."""
        try:
            content = decode(self._path.read_bytes(), _Content)
        except (FileNotFoundError, msgspec.DecodeError):
            return {}
        return content.requests if content.version == _VERSION else {}

    def begin(self, request_id: str, group: str, count: int, before: Iterable[str]) -> Wish:
        """Note a request before anything is done for it; one that was made before stays as it was.

        Raises OSError.
        """
        with self._changing():
            now = self._clock()
            requests = {name: one for name, one in self.all().items() if one.at > now - _KEPT_S}
            if request_id not in requests:
                requests[request_id] = Wish(group, count, now, before=tuple(before))
                self._write(requests)
            return requests[request_id]

    def hand_out(
        self, pods: Iterable[tuple[str, str]], first: Collection[str] = ()
    ) -> dict[str, str]:
        """Give pods, each with its group, to the requests that they were made for.

        The requests named in `first` take before others, and the older before the younger. Returns
        the request of each pod that was given to one, now or before. Raises OSError.
        """
        found = list(pods)
        known = self.all()
        owners = _owners(known)
        if not _shared_out(known, found, first, self._clock()):
            return owners
        with self._changing():
            known = self.all()
            shared = _shared_out(known, found, first, self._clock())
            self._write({**known, **shared})
            return _owners({**known, **shared})

    def _changing(self) -> AbstractContextManager[None]:
        return locked(self._path.with_suffix(".lock"))

    def _write(self, requests: dict[str, Wish]) -> None:
        write_durably(self._path, encode(_Content(_VERSION, requests)))


def _owners(requests: Mapping[str, Wish]) -> dict[str, str]:
    return {pod: name for name, wish in requests.items() for pod in wish.given}


def _shared_out(
    requests: Mapping[str, Wish],
    pods: Iterable[tuple[str, str]],
    first: Collection[str],
    now: float,
) -> dict[str, Wish]:
    """The requests that get pods which nobody has, with those pods."""
    owners = _owners(requests)
    free = [(pod, group) for pod, group in pods if pod not in owners]
    if not free:
        return {}
    waiting = {name: wish for name, wish in requests.items() if wish.missing}
    shared = {}
    for name in sorted(waiting, key=lambda name: (name not in first, waiting[name].at)):
        wish = waiting[name]
        if name not in first and wish.at < now - _LATE_S:
            continue
        fresh = [pod for pod, group in free if group == wish.group and pod not in wish.before]
        if taken := fresh[: wish.missing]:
            shared[name] = replace(wish, given=(*wish.given, *taken))
            free = [(pod, group) for pod, group in free if pod not in taken]
    return shared
