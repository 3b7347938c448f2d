"""Looks after hosts in the background: renews claims, notices what died, cleans what was left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.base import ProviderError
from raytui.backends.on_premise.asking import Asking
from raytui.backends.on_premise.giving_back import GivingBack
from raytui.backends.on_premise.host import Host, TakenError
from raytui.backends.on_premise.hosts_file import Claim, HostRecord, HostsFile, Stage
from raytui.backends.on_premise.taking import Taking
from raytui.backends.ssh.errors import NoAnswerError
from raytui.backends.tags import RAY_STARTED, RUNTIME
from raytui.model.spec import DockerSpec
from raytui.model.text import duration_text, first_line

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 15.0
PER_HOST_S = 0.3
"""With many hosts looks are rarer: a head is to have its processor for other things."""
SILENT_S = 60.0
"""A node that ran and does not answer for so long is lost."""
_LOOK_AGAIN_S = 3.0
_AT_ONCE = 16


class _Health(Struct, frozen=True):
    """What the looks at one node have shown."""

    error: str = ""
    """Why there was no answer, the last time."""
    silent_since: float | None = None
    """time.monotonic since when there was not even a refusal. A host that refuses us may run its
    node all the same."""
    gone_looks: int = 0
    """Looks in a row that found no raylet."""
    taken: str = ""
    """Another cluster has the host."""


class Watching:
    """Belongs to the daemon: whoever only lists or ends nodes need not start it."""

    def __init__(
        self,
        file: HostsFile,
        host: Callable[[str], Host],
        docker: Callable[[str], DockerSpec | None],
        clock: Callable[[], float],
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._file = file
        self._host = host
        self._docker = docker
        self._clock = clock
        self._every_s = every_s
        self._health: dict[str, _Health] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, asking: Asking, taking: Taking, giving: GivingBack) -> None:
        """Look from now on, and have done what is found to be left to do."""
        if self._thread is None:
            look = partial(self._look_safely, asking, taking, giving)
            self._thread = threading.Thread(
                target=self._run, args=(look,), name="host looks", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stopping.set()

    def why_lost(self, claim: Claim) -> str:
        """What is wrong with a node for good, as far as was seen; empty when nothing is.

        A node whose set-up is under way is judged by those who set it up.
        """
        health = self._health.get(claim.instance_id)
        if health is None:
            return ""
        if health.taken:
            return health.taken
        if not _is_made(claim):
            return ""
        if health.silent_since is not None:
            silent_s = time.monotonic() - health.silent_since
            if silent_s >= SILENT_S:
                return f"no answer for {duration_text(silent_s)}: {health.error}"
        return "its Ray processes are gone" if health.gone_looks >= 2 else ""

    def unanswered(self) -> dict[str, str]:
        """Why nodes that may well run cannot be looked at, by instance."""
        return {name: health.error for name, health in self._health.items() if health.error}

    def _run(self, look: Callable[[tuple[str, HostRecord]], bool]) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="host look") as pool:
            while not self._stopping.is_set():
                began = time.monotonic()
                pause = self._every_s
                try:
                    hosts = self._file.read()
                except OSError as error:
                    _log.warning("the state of the hosts cannot be read: %s", error)
                else:
                    pause = max(pause, PER_HOST_S * len(hosts))
                    if any(pool.map(look, hosts.items())):
                        pause = min(pause, _LOOK_AGAIN_S)
                    self._forget_all_but(hosts)
                self._stopping.wait(max(0.0, began + pause - time.monotonic()))

    def _look_safely(
        self, asking: Asking, taking: Taking, giving: GivingBack, pair: tuple[str, HostRecord]
    ) -> bool:
        """Look at one host; True when it should be looked at again soon."""
        host, record = pair
        claim = record.claim
        if self._stopping.is_set():
            return False
        try:
            if claim is None and record.unclean and not record.off:
                giving.clean(host, record.unclean)
            if claim is not None and claim.stage is Stage.TAKING:
                taking.give_up_old_intent(host, claim)
            if asking.is_due(record):
                asking.ask([host])
            if claim is not None and claim.stage is Stage.HELD:
                return self._look_at_node(host, claim)
        except ProviderError as error:
            _log.info("%s", first_line(str(error)))
        except Exception:  # one host must not end the looks at all others
            _log.exception("looking at %s", host)
        return False

    def _look_at_node(self, host: str, claim: Claim) -> bool:
        name = claim.instance_id
        health = self._health.get(name) or _Health()
        there = self._host(host)
        try:
            with there.turn:
                began_at = self._clock()
                found = self._file.claimed(name)
                if found is None or found[1].stage is not Stage.HELD:
                    return False  # to renew it would be to claim a host that was given back
                claim = found[1]
                held = there.hold(claim, self._docker(claim.node_type))
        except TakenError as error:
            self._health[name] = replace(health, taken=str(error))
            return False
        except ProviderError as error:
            since = health.silent_since or time.monotonic()
            self._health[name] = replace(
                health,
                error=first_line(str(error)),
                silent_since=since if isinstance(error, NoAnswerError) else None,
            )
            return False
        # A look from before Ray was started says nothing about it.
        gone = not held.ray_runs and _is_made(claim) and began_at > _ray_started_at(claim)
        looks = health.gone_looks + 1 if gone else 0
        self._health[name] = _Health(gone_looks=looks)
        if not claim.noted:
            note(self._file, there, claim)
        return looks == 1

    def _forget_all_but(self, hosts: dict[str, HostRecord]) -> None:
        there = {record.claim.instance_id for record in hosts.values() if record.claim}
        for name in set(self._health) - there:
            self._health.pop(name, None)


def note(file: HostsFile, host: Host, claim: Claim) -> None:
    """Leave word on a host of what was made of it, for the next time that we have it."""
    host.note(claim)
    with file.change() as known:
        record = known.get(host.name, HostRecord())
        if record.claim == claim:
            known[host.name] = replace(record, claim=replace(claim, noted=True))


def _is_made(claim: Claim) -> bool:
    """Ray was started on it, and nothing is being made anew."""
    return bool(claim.tags.get(RAY_STARTED) and claim.tags.get(RUNTIME))


def _ray_started_at(claim: Claim) -> float:
    with suppress(ValueError):
        return float(claim.tags.get(RAY_STARTED) or 0)
    return 0.0
