"""How hosts are got for a request: chosen, written down, claimed; the next where one is not had."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.base import LaunchRequest, ProviderError
from raytui.backends.on_premise.choosing import in_order, pause_after
from raytui.backends.on_premise.host import Held, Host, TakenError
from raytui.backends.on_premise.hosts_file import Claim, HostRecord, HostsFile, Stage
from raytui.backends.on_premise.power import switch
from raytui.backends.tags import CONTENTS, LAUNCH, RUNTIME
from raytui.model.plan import FailureKind
from raytui.model.spec import DockerSpec, HostPool
from raytui.model.text import first_line

_ENOUGH_S = 90.0
"""No further host is tried after this time: the caller's patience ends at two minutes."""
_INTENT_S = 600.0
_WHAT_LASTS = (LAUNCH, RUNTIME, CONTENTS)


class Taken(Struct, frozen=True):
    """What a request has got."""

    claims: tuple[tuple[str, Claim], ...]
    """With their hosts."""
    met: dict[str, str]
    """Why hosts that were tried could not be had."""


def instance_id(host: str, request_id: str, index: int) -> str:
    """The id of one node of a request, should it be on this host."""
    return f"{host}-{_word(request_id, index)}"


class Taking:
    """Gets hosts. Whatever it is stopped at, the same request goes on from there."""

    def __init__(
        self,
        file: HostsFile,
        host: Callable[[str], Host],
        pool: Executor,
        clock: Callable[[], float],
    ) -> None:
        self._file = file
        self._host = host
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[str, _Turn] = {}

    def take(self, request: LaunchRequest, hosts: HostPool, docker: DockerSpec | None) -> Taken:
        """As many hosts as the request wants, or as there are; those that it has got already count.

        One call for a request at a time: a second one waits, and finds what the first has got.
        """
        met: dict[str, str] = {}
        until = time.monotonic() + _ENOUGH_S
        with self._alone(request.request_id):
            while True:
                claims = self._intend(request, hosts.hosts, met)
                intents = [(h, c) for h, c in claims if c.stage is Stage.TAKING]
                if not intents or time.monotonic() > until:
                    break
                asked = [
                    (host, self._pool.submit(self._claim, host, claim, docker, hosts.power.on))
                    for host, claim in intents
                ]
                met |= {host: why for host, future in asked if (why := future.result())}
            for host, claim in intents:
                self._drop(host, claim, None)
        return Taken(tuple(pair for pair in claims if pair not in intents), met)

    def is_under_way(self, request_id: str) -> bool:
        """Whether somebody is getting hosts for this request now."""
        with self._lock:
            return request_id in self._under_way

    @contextmanager
    def _alone(self, request_id: str) -> Iterator[None]:
        with self._lock:
            turn = self._under_way.setdefault(request_id, _Turn())
            turn.wanted += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.wanted -= 1
                if not turn.wanted:
                    del self._under_way[request_id]

    def give_up_old_intent(self, host: str, claim: Claim) -> None:
        """Forget an intent that nobody came back for; a claim on the host runs out by itself."""
        if self.is_under_way(claim.request_id) or self._clock() - claim.since < _INTENT_S:
            return
        self._drop(host, claim, None)

    def claim_when_awake(self, name: str, docker: DockerSpec | None) -> None:
        """Claim a host that was given before it answered; raises ProviderError when it is not ours.

        Called before the first command there, so that nothing is done on another cluster's host.
        """
        found = self._file.claimed(name)
        if found is None or found[1].stage is not Stage.WAKING:
            return
        host, claim = found
        self._held(host, claim, self._hold(host, claim, docker))

    def _intend(
        self, request: LaunchRequest, hosts: Sequence[str], met: dict[str, str]
    ) -> list[tuple[str, Claim]]:
        """The claims of a request, for which free hosts have been chosen and written down."""
        found = []
        now = self._clock()
        with self._file.change() as known:
            free = [host for host in in_order(hosts, known, now) if host not in met]
            for index in range(request.count):
                host = _host_of(known, request.request_id, index)
                if host is None:
                    if not free:
                        continue
                    host = free.pop(0)
                    claim = Claim(
                        instance_id(host, request.request_id, index),
                        request.node_type,
                        request.request_id,
                        now,
                    )
                    known[host] = replace(known.get(host, HostRecord()), claim=claim)
                claimed = known[host].claim
                assert claimed is not None
                found.append((host, claimed))
        return found

    def _claim(self, host: str, claim: Claim, docker: DockerSpec | None, power_on: str) -> str:
        """Make an intent true; otherwise it is dropped and the answer says why."""
        try:
            try:
                held = self._hold(host, claim, docker)
            except TakenError as error:
                self._drop(host, claim, None)
                return str(error)
            except ProviderError as error:
                if not power_on or error.kind is not FailureKind.TRANSIENT:
                    raise
                switch(host, power_on)
                self._change(host, claim, lambda r: replace(r, off=False), Stage.WAKING)
                return ""
        except ProviderError as error:
            self._drop(host, claim, error)
            return first_line(str(error))
        self._held(host, claim, held)
        return ""

    def _hold(self, host: str, claim: Claim, docker: DockerSpec | None) -> Held:
        there = self._host(host)
        with there.turn:
            record = self._file.read().get(host, HostRecord())
            return there.hold(claim, docker, record.unclean)

    def _held(self, host: str, claim: Claim, held: Held) -> None:
        lasting = {name: held.made[name] for name in _WHAT_LASTS if held.made.get(name)}

        def clean(record: HostRecord) -> HostRecord:
            return replace(record, unclean=(), off=False, error="")

        self._change(host, replace(claim, tags=lasting), clean, Stage.HELD)

    def _drop(self, host: str, claim: Claim, error: ProviderError | None) -> None:
        """Forget an intent. A claim that lies there all the same is our own, and a lease."""

        def drop(record: HostRecord) -> HostRecord:
            if error is None:
                return replace(record, claim=None)
            failures = record.failures + 1
            return replace(
                record,
                claim=None,
                failures=failures,
                error=first_line(str(error)),
                avoid_until=self._clock() + pause_after(failures),
            )

        self._change(host, claim, drop)

    def _change(
        self,
        host: str,
        claim: Claim,
        change: Callable[[HostRecord], HostRecord],
        stage: Stage | None = None,
    ) -> None:
        """Write down what became of a claim, unless somebody has given the host back meanwhile."""
        with self._file.change() as known:
            record = known.get(host, HostRecord())
            there = record.claim
            if there is None or there.instance_id != claim.instance_id:
                return
            if there.stage not in (Stage.TAKING, Stage.WAKING):
                return
            if stage is not None:
                record = replace(record, claim=replace(claim, stage=stage))
            known[host] = change(record)


@dataclass
class _Turn:
    """Of the calls for one request, which may be repeated before the first has come back."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted: int = 0


def _host_of(known: dict[str, HostRecord], request_id: str, index: int) -> str | None:
    ending = "-" + _word(request_id, index)
    for host, record in known.items():
        claim = record.claim
        if claim and claim.request_id == request_id and claim.instance_id.endswith(ending):
            return host
    return None


def _word(request_id: str, index: int) -> str:
    return hashlib.sha256(f"{request_id}/{index}".encode()).hexdigest()[:6]
