"""Looks after hosts in the background: renews claims, notices what died, cleans what was left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.base import ProviderError
from raytui.backends.on_premise.host import Host, TakenError
from raytui.backends.on_premise.hosts_file import Claim, HostRecord, HostsFile, Stage
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
_INTENT_S = 600.0
"""An intent that nobody came back for within this time is given up."""
_ASK_AGAIN_S = 300.0
_ASK_EVERY_S = 86_400.0
_AT_ONCE = 16
_NOTE_MADE_FOR = "raytui-instance"


class _Health(Struct, frozen=True):
    """What the looks at one node have shown."""

    answered_at: float
    """time.monotonic of the last answer, or of the first look."""
    error: str = ""
    """Why there was no answer, the last time."""
    silent: bool = False
    """That was not even a refusal. A host that refuses us may run its node all the same."""
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
        clean: Callable[[str, tuple[str, ...]], None],
        ask: Callable[[str], object],
        is_under_way: Callable[[str], bool],
        clock: Callable[[], float],
        every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._file = file
        self._host = host
        self._docker = docker
        self._clean = clean
        self._ask = ask
        self._is_under_way = is_under_way
        self._clock = clock
        self._every_s = every_s
        self._health: dict[str, _Health] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="host looks", daemon=True)
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
        silent_s = time.monotonic() - health.answered_at
        if health.silent and silent_s >= SILENT_S:
            return f"no answer for {duration_text(silent_s)}: {health.error}"
        return "its Ray processes are gone" if health.gone_looks >= 2 else ""

    def unanswered(self) -> dict[str, str]:
        """Why nodes that may well run cannot be looked at, by instance."""
        return {name: health.error for name, health in self._health.items() if health.error}

    def _run(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="host look") as pool:
            while not self._stopping.is_set():
                began = time.monotonic()
                hosts = self._file.read()
                again = any(pool.map(self._look_safely, hosts.items()))
                self._forget_all_but(hosts)
                pause = max(self._every_s, PER_HOST_S * len(hosts))
                pause = min(pause, _LOOK_AGAIN_S) if again else pause
                self._stopping.wait(max(0.0, began + pause - time.monotonic()))

    def _look_safely(self, pair: tuple[str, HostRecord]) -> bool:
        """Look at one host; True when it should be looked at again soon."""
        try:
            return self._look(*pair)
        except ProviderError as error:
            _log.info("%s", first_line(str(error)))
        except Exception:  # one host must not end the looks at all others
            _log.exception("looking at %s", pair[0])
        return False

    def _look(self, host: str, record: HostRecord) -> bool:
        claim = record.claim
        if claim is None and record.unclean and not record.off:
            self._clean(host, record.unclean)
        if claim is not None and claim.stage is Stage.TAKING:
            self._give_up_intent(host, claim)
        if self._knows_too_little(record):
            self._ask(host)
        if claim is not None and claim.stage is Stage.HELD:
            return self._look_at_node(host, claim)
        return False

    def _knows_too_little(self, record: HostRecord) -> bool:
        """Whether to ask a host what it has: now and then, or because it has never answered."""
        ago = self._clock() - record.asked_at
        return ago > (_ASK_EVERY_S if record.facts else _ASK_AGAIN_S) and not record.off

    def _look_at_node(self, host: str, claim: Claim) -> bool:
        name = claim.instance_id
        health = self._health.get(name) or _Health(time.monotonic())
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
            silent = isinstance(error, NoAnswerError)
            self._health[name] = replace(health, error=first_line(str(error)), silent=silent)
            return False
        # A look from before Ray was started says nothing about it.
        gone = not held.ray_runs and _is_made(claim) and began_at > _ray_started_at(claim)
        looks = health.gone_looks + 1 if gone else 0
        self._health[name] = _Health(time.monotonic(), gone_looks=looks)
        if not claim.noted:
            note(self._file, there, claim)
        return looks == 1

    def _give_up_intent(self, host: str, claim: Claim) -> None:
        if self._is_under_way(claim.request_id) or self._clock() - claim.since < _INTENT_S:
            return
        with self._file.change() as known:
            record = known.get(host, HostRecord())
            if record.claim == claim:
                known[host] = replace(record, claim=None)

    def _forget_all_but(self, hosts: dict[str, HostRecord]) -> None:
        there = {record.claim.instance_id for record in hosts.values() if record.claim}
        for name in set(self._health) - there:
            self._health.pop(name, None)


def note(file: HostsFile, host: Host, claim: Claim) -> None:
    """Leave word on a host of what was made of it, for the next time that we have it."""
    host.note({**claim.tags, _NOTE_MADE_FOR: claim.instance_id})
    with file.change() as known:
        record = known.get(host.name, HostRecord())
        if record.claim == claim:
            known[host.name] = replace(record, claim=replace(claim, noted=True))


def made_for(tags: dict[str, str], instance_id: str) -> dict[str, str]:
    """The tags of a note, if it was left by this very instance."""
    if tags.get(_NOTE_MADE_FOR) != instance_id:
        return {}
    return {name: value for name, value in tags.items() if name != _NOTE_MADE_FOR}


def _is_made(claim: Claim) -> bool:
    """Ray was started on it, and nothing is being made anew."""
    return bool(claim.tags.get(RAY_STARTED) and claim.tags.get(RUNTIME))


def _ray_started_at(claim: Claim) -> float:
    with suppress(ValueError):
        return float(claim.tags.get(RAY_STARTED) or 0)
    return 0.0
