"""A list of objects that a watch keeps true: what Kubernetes calls an informer."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Self, TypeVar

from raytui.backends.base import ProviderError, TransientError
from raytui.backends.kubernetes.closing import Closing
from raytui.backends.kubernetes.errors import GoneError, OverloadedError
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.backends.kubernetes.watch import Change, Watch

_log = logging.getLogger(__name__)

T = TypeVar("T")

_PAGE = 500
_FIRST_PAGE = 100
"""Of the first list: soon there is something to be shown."""
_SHORTEST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 3.0
"""A watch that lasted so long is no sign of trouble when it ends."""
_TELL_EVERY_S = 0.1
_CLOSE_S = 2.0


def key_of(thing: Json) -> str:
    """What an object is known by: `namespace/name`, or `name` where there is no namespace."""
    meta = thing["metadata"]
    namespace = meta.get("namespace")
    return f"{namespace}/{meta['name']}" if namespace else str(meta["name"])


class _Held(Generic[T]):
    __slots__ = ("uid", "value", "version")

    def __init__(self, uid: str, version: int, value: T) -> None:
        self.uid = uid
        self.version = version
        self.value = value


class Informer(Closing, Generic[T]):
    """What `keep` makes of each object of a list; thread-safe.

    A thread of its own lists and watches, and goes on after every error, after a pause that grows
    to 30 s or that the server asks for. What is held stays while the server cannot be asked.
    """

    def __init__(
        self,
        session: KubeSession,
        path: str,
        *,
        keep: Callable[[Json], T],
        on_change: Callable[[], None] | None = None,
        **query: str | int,
    ) -> None:
        """`keep` gets each object as it comes, on any thread; objects themselves are not held.

        `on_change` is called on a thread of its own, once for all changes of a tenth of a second:
        of objects, of `synced` and of `error`. `query` has selectors.
        """
        self._session = session
        self._path = path
        self._query = query
        self._keep = keep
        self._on_change = on_change
        self._lock = threading.Lock()
        self._held: dict[str, _Held[T]] = {}
        self._version = 0
        """Up to here all is known."""
        self._forgotten: set[str] = set()
        """Uids of what is gone, though the watch may still tell of its past."""
        self._synced = threading.Event()
        self._error: ProviderError | None = None
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._watch: Watch | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """List and watch from now on."""
        work = [self._run] if self._on_change is None else [self._run, self._tell]
        self._threads = [
            threading.Thread(target=one, name=f"informer of {self._path}", daemon=True)
            for one in work
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Watch no more; what is held stays. Returns within seconds."""
        self._closed.set()
        self._changed.set()
        with self._lock:
            watch = self._watch
        if watch is not None:
            watch.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=_CLOSE_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    @property
    def synced(self) -> bool:
        """Whether the whole list has been read, now or before."""
        return self._synced.is_set()

    @property
    def error(self) -> ProviderError | None:
        """Why the newest cannot be known now; None when all is well."""
        return self._error

    def wait(self, within_s: float) -> bool:
        """Wait for the whole list; whether it is there."""
        return self._synced.wait(within_s)

    def all(self) -> dict[str, T]:
        """What is held now, by `key_of`."""
        with self._lock:
            return {key: held.value for key, held in self._held.items()}

    def get(self, key: str) -> T | None:
        """One of them."""
        with self._lock:
            held = self._held.get(key)
        return held.value if held else None

    def put(self, thing: Json) -> None:
        """Take in the answer to one's own request, unless what is known is newer."""
        with self._lock:
            is_known = _version_of(thing) <= self._version
        if not is_known:
            self._take(thing)

    def forget(self, thing: Json) -> None:
        """Take out what one's own request has deleted, and is gone at once."""
        with self._lock:
            uid = thing["metadata"]["uid"]
            self._forgotten.add(uid)
            held = self._held.get(key_of(thing))
            if held is not None and held.uid == uid:
                del self._held[key_of(thing)]
        self._changed.set()

    # The threads.

    def _run(self) -> None:
        is_listed = False
        failures = 0
        while not self._closed.is_set():
            opened_at = float("inf")
            trouble: ProviderError | None = None
            try:
                if not is_listed:
                    self._list()
                    is_listed = True
                with self._watching() as changes:
                    opened_at = time.monotonic()
                    self._set_error(None)
                    for change in changes:
                        self._heed(change)
            except GoneError as error:
                is_listed, trouble = False, error
            except ProviderError as error:
                trouble = error
            except Exception as error:  # what came is not what Kubernetes sends
                is_listed, trouble = False, TransientError(f"{self._path}: {error!r}")
                _log.exception("%s cannot be followed", self._path)
            is_steady = time.monotonic() - opened_at >= _STEADY_S
            failures = 0 if is_steady else failures + 1
            if trouble is not None and not is_steady and not isinstance(trouble, GoneError):
                self._set_error(trouble)
            if trouble is not None or not is_steady:
                self._closed.wait(_pause_s(failures, trouble))

    def _list(self) -> None:
        """Read the whole list; what comes is held at once, what is missing goes at the end."""
        seen: set[str] = set()
        page = _PAGE if self.synced else _FIRST_PAGE
        token = ""
        while not self._closed.is_set():
            more = {"continue": token} if token else {}
            found = self._session.get(self._path, **{**self._query, "limit": page, **more})
            version = _version_of(found)
            if version < self._version:
                self._begin_anew()
            for thing in found.get("items") or ():
                self._take(thing)
                seen.add(key_of(thing))
            token, page = found["metadata"].get("continue") or "", _PAGE
            if not token:
                self._listed(seen, version)
                return

    def _begin_anew(self) -> None:
        """The server's own past has changed, by a restored backup: what is held means nothing."""
        with self._lock:
            self._version = 0
            for held in self._held.values():
                held.version = -1

    def _listed(self, seen: set[str], version: int) -> None:
        """Take out what is not in a list, but not what is newer than the list."""
        with self._lock:
            for key in [key for key in self._held if key not in seen]:
                if self._held[key].version <= version:
                    del self._held[key]
            self._forgotten.clear()
            self._version = version
        self._synced.set()
        self._changed.set()

    @contextmanager
    def _watching(self) -> Iterator[Watch]:
        with self._session.watch(self._path, version=str(self._version), **self._query) as watch:
            with self._lock:
                self._watch = watch
            if self._closed.is_set():
                watch.close()
            yield watch

    def _heed(self, change: Change) -> None:
        if change.type in ("ADDED", "MODIFIED"):
            self._take(change.object)
        elif change.type == "DELETED":
            self._drop(change.object)
        with self._lock:
            self._version = max(self._version, _version_of(change.object))

    def _take(self, thing: Json) -> None:
        key, uid, version = key_of(thing), thing["metadata"]["uid"], _version_of(thing)
        if not self._is_news(key, uid, version):
            return
        try:
            value = self._keep(thing)
        except Exception:  # one odd object must not hide all others
            _log.exception("%s of %s is left out", key, self._path)
            return
        with self._lock:
            held = self._held.get(key)
            if held is None or version > held.version:
                self._held[key] = _Held(uid, version, value)
        self._changed.set()

    def _is_news(self, key: str, uid: str, version: int) -> bool:
        with self._lock:
            held = self._held.get(key)
            return uid not in self._forgotten and (held is None or version > held.version)

    def _drop(self, thing: Json) -> None:
        key, uid = key_of(thing), thing["metadata"]["uid"]
        with self._lock:
            self._forgotten.discard(uid)
            held = self._held.get(key)
            if held is not None and held.uid == uid:
                del self._held[key]
        self._changed.set()

    def _set_error(self, error: ProviderError | None) -> None:
        is_new = str(error) != str(self._error)
        self._error = error
        if is_new:
            self._changed.set()

    def _tell(self) -> None:
        assert self._on_change is not None
        while self._changed.wait() and not self._closed.is_set():
            self._changed.clear()
            try:
                self._on_change()
            except Exception:  # whoever listens may stumble; what is held stays true
                _log.exception("who listens to %s", self._path)
            self._closed.wait(_TELL_EVERY_S)


def _version_of(thing: Json) -> int:
    """Versions are compared only among answers of one server, where they grow."""
    return int(thing["metadata"]["resourceVersion"])


def _pause_s(failures: int, trouble: ProviderError | None) -> float:
    longest = min(_LONGEST_PAUSE_S, _SHORTEST_PAUSE_S * 2.0 ** min(failures, 10))
    pause = random.uniform(longest / 2, longest)  # noqa: S311 (spreads calls, no secret)
    asked = trouble.retry_after_s if isinstance(trouble, OverloadedError) else 0.0
    return asked + pause if asked else pause
