"""What happens to a RayCluster as Kubernetes events of it: told once and counted, never a flood."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from raytui.autoscaler.daemon.log import note
from raytui.backends.base import AuthError, ConfigError, ProviderError, QuotaError
from raytui.backends.kubernetes.errors import NotFoundError
from raytui.backends.kubernetes.marks import OPERATOR
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.model.snapshot import Event, Level

_log = logging.getLogger(__name__)

_LONGEST = 1024
"""Characters of a message, Kubernetes' own limit."""
_KNOWN = 50
_WAITING = 50
_BURST = 12
_EVERY_S = 15.0
"""One more event (or one more count of one) every so often, after a burst."""


class Kind(StrEnum):
    """Kubernetes' two types of event."""

    NORMAL = "Normal"
    WARNING = "Warning"


class _Told(Struct):
    name: str
    count: int


_Key = tuple[Kind, str, str]


class EventBook:
    """The events of one RayCluster. `say` may be called from any thread, `post` from one."""

    def __init__(
        self, resource: Mapping[str, Any], session: KubeSession, clock: Callable[[], float]
    ) -> None:
        """`clock` tells unix seconds."""
        meta = resource["metadata"]
        self._object = {
            "apiVersion": resource.get("apiVersion", "ray.io/v1"),
            "kind": "RayCluster",
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        }
        self._path = f"/api/v1/namespaces/{meta['namespace']}/events"
        self._session = session
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[_Key] = deque(maxlen=_WAITING)
        self._counts: dict[_Key, int] = {}
        self._told: OrderedDict[_Key, _Told] = OrderedDict()
        self._room = float(_BURST)
        self._room_at = time.monotonic()
        self._was_refused = False

    def say(self, kind: Kind, reason: str, message: str) -> None:
        """Note that something has happened; what is said again while it waits is counted."""
        key = (kind, reason, message[:_LONGEST])
        with self._lock:
            if key not in self._counts:
                if len(self._waiting) == _WAITING:
                    del self._counts[self._waiting[0]]
                self._waiting.append(key)
            self._counts[key] = self._counts.get(key, 0) + 1

    def tell(self, event: Event) -> None:
        """Note a line of the autoscaler's journal, if it is a decision, or bad news."""
        if event.level in (Level.WARNING, Level.ERROR):
            self.say(Kind.WARNING, "AutoscalerWarning", event.text)
        elif event.decision_id:
            self.say(Kind.NORMAL, "Scaling", event.text)

    def post(self) -> None:
        """Write what waits, as far as there is room for it now.

        What is refused is told by the log instead, and what nobody took waits for the next time:
        no round fails for an event.
        """
        while (key := self._next()) is not None:
            with self._lock:
                count = self._counts.get(key, 0)
            try:
                self._write(key, count)
            except (AuthError, ConfigError, QuotaError) as error:
                self._refused(str(error))
            except ProviderError:
                return
            self._forget(key, count)

    def _refused(self, words: str) -> None:
        if not self._was_refused:
            where = f"{self._object['namespace']}/{self._object['name']}"
            note(_log, logging.WARNING, "events refused", cluster=where, error=words)
        self._was_refused = True

    def _next(self) -> _Key | None:
        now = time.monotonic()
        with self._lock:
            self._room = min(_BURST, self._room + (now - self._room_at) / _EVERY_S)
            self._room_at = now
            if not self._waiting or self._room < 1:
                return None
            self._room -= 1
            return self._waiting[0]

    def _forget(self, key: _Key, count: int) -> None:
        with self._lock:
            left = self._counts.get(key, 0) - count
            if left > 0:
                self._counts[key] = left
            elif key in self._counts:
                del self._counts[key]
                self._waiting.remove(key)

    def _write(self, key: _Key, count: int) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = self._told.get(key)
        if told is not None:
            operations: list[Json] = [
                {"op": "add", "path": "/count", "value": told.count + count},
                {"op": "add", "path": "/lastTimestamp", "value": now},
            ]
            try:
                self._session.patch(f"{self._path}/{told.name}", operations)
            except NotFoundError:  # events are kept for an hour
                del self._told[key]
            else:
                told.count += count
                return
        body = self._event(key, count, now)
        self._session.create(self._path, body)
        self._told[key] = _Told(body["metadata"]["name"], count)
        if len(self._told) > _KNOWN:
            self._told.popitem(last=False)

    def _event(self, key: _Key, count: int, now: str) -> Json:
        kind, reason, message = key
        # Names may be 253 characters long, which leaves room for what makes them unique.
        name = f"{self._object['name'][:200]}.{secrets.token_hex(8)}"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": self._object["namespace"]},
            "involvedObject": self._object,
            "type": kind.value,
            "reason": reason,
            "message": message,
            "source": {"component": OPERATOR},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": count,
        }
