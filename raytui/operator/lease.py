"""Leader election by a Lease: of several operators only one acts, and another takes its place."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from raytui.autoscaler.daemon.log import note
from raytui.backends.base import ProviderError, TransientError
from raytui.backends.kubernetes.errors import AlreadyExistsError, ConflictError, NotFoundError
from raytui.backends.kubernetes.session import Json, KubeSession

NAME = "raytui-operator"
_LOOKS = 4
"""At a lease that somebody else writes to at the same time."""

_log = logging.getLogger(__name__)


class Terms(Struct, frozen=True):
    """Seconds. `duration_s` is above `renew_within_s`, so that two never lead at once."""

    duration_s: float = 12.0
    """Who has not renewed for so long leads no longer: another one takes over."""
    renew_within_s: float = 8.0
    """Who cannot renew for so long gives up by itself."""
    try_every_s: float = 2.0


class Leadership:
    """One operator's part in the election. The clocks of machines are never compared."""

    def __init__(
        self,
        session: KubeSession,
        namespace: str,
        identity: str,
        *,
        lost: Callable[[], None],
        terms: Terms | None = None,
    ) -> None:
        """`session` should fail fast. `lost` is called in some thread, and should end the process.

        It is called when the lease could not be renewed in time, or when another has taken it.
        """
        self._session = session
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._identity = identity
        self._lost = lost
        self._terms = terms or Terms()
        self._ended = threading.Event()
        self._seen: Json = {}
        self._seen_at = 0.0
        self._watchdog: threading.Timer | None = None
        self._renewing: threading.Thread | None = None
        self._guard = threading.Lock()

    def acquire(self, given_up: Callable[[], bool]) -> bool:
        """Wait to lead; False when `given_up` said so first. The lease is renewed from then on."""
        said = ""
        while not given_up():
            asked_at = time.monotonic()
            try:
                if self._try():
                    self._expect_renewal(asked_at)
                    self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
                    self._renewing.start()
                    note(_log, logging.INFO, "leading", identity=self._identity)
                    return True
                words = f"{self._holder()} leads"
            except ProviderError as error:
                words = str(error)
            if words != said:
                note(_log, logging.INFO, "standing by", why=words)
                said = words
            self._ended.wait(self._terms.try_every_s)
        return False

    def release(self) -> None:
        """Lead no longer, and let another begin at once."""
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()
        with self._guard:
            if self._watchdog is not None:
                self._watchdog.cancel()
        if self._renewing is None or self._holder() != self._identity:
            return
        with contextlib.suppress(ProviderError):
            self._write({**self._seen["spec"], "holderIdentity": "", "leaseDurationSeconds": 1})

    def _renew(self) -> None:
        while not self._ended.wait(self._terms.try_every_s):
            asked_at = time.monotonic()
            try:
                if self._try():
                    self._expect_renewal(asked_at)
                elif not self._ended.is_set():
                    note(_log, logging.ERROR, "lost the lease", to=self._holder())
                    self._lost()
                    return
            except ProviderError as error:
                note(_log, logging.WARNING, "lease not renewed", error=str(error))

    def _expect_renewal(self, since: float) -> None:
        """Whatever hangs, also a request: at its time the leadership is over."""
        with self._guard:
            if self._watchdog is not None:
                self._watchdog.cancel()
            left = self._terms.renew_within_s - (time.monotonic() - since)
            self._watchdog = threading.Timer(max(0.0, left), self._overdue)
            self._watchdog.daemon = True
            self._watchdog.start()

    def _overdue(self) -> None:
        if not self._ended.is_set():
            note(_log, logging.ERROR, "lease not renewed in time")
            self._lost()

    def _try(self) -> bool:
        """Read the lease, and write it if it is ours or nobody's; False when another has it.

        Who has written to it meanwhile need not have taken it: that is seen by another look.
        Raises ProviderError.
        """
        for _ in range(_LOOKS):
            with contextlib.suppress(ConflictError, AlreadyExistsError):
                return self._claimed()
        raise TransientError(f"the lease {NAME} changes faster than it can be written")

    def _claimed(self) -> bool:
        try:
            self._look()
        except NotFoundError:
            self._begin()
            return True
        spec = self._seen.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        waited = time.monotonic() - self._seen_at
        if holder not in ("", self._identity) and waited < _duration(spec, self._terms):
            return False
        changes = int(spec.get("leaseTransitions") or 0)
        self._write(self._claim(spec, changes + (holder != self._identity)))
        return True

    def _look(self) -> None:
        found = self._session.get(f"{self._leases}/{NAME}")
        before = self._seen.get("metadata", {}).get("resourceVersion")
        if found["metadata"]["resourceVersion"] != before:
            self._seen, self._seen_at = found, time.monotonic()

    def _begin(self) -> None:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME},
            "spec": self._claim({}, 0),
        }
        self._seen = self._session.create(self._leases, body)
        self._seen_at = time.monotonic()

    def _claim(self, spec: Json, changes: int) -> Json:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        is_mine = spec.get("holderIdentity") == self._identity
        return {
            **spec,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._terms.duration_s),
            "acquireTime": spec.get("acquireTime", now) if is_mine else now,
            "renewTime": now,
            "leaseTransitions": changes,
        }

    def _write(self, spec: Json) -> None:
        version = self._seen["metadata"]["resourceVersion"]
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": "/spec", "value": spec},
        ]
        self._seen = self._session.patch(f"{self._leases}/{NAME}", operations)
        self._seen_at = time.monotonic()

    def _holder(self) -> str:
        return str((self._seen.get("spec") or {}).get("holderIdentity") or "")


def _duration(spec: Json, terms: Terms) -> float:
    """How long another one's silence is to be waited for: as long as it has said."""
    return float(spec.get("leaseDurationSeconds") or terms.duration_s)
