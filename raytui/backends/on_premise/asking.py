"""What hosts tell when they are asked: what they have, and claims of ours that we forgot."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, wait

from msgspec.structs import replace

from raytui.backends.base import ProviderError
from raytui.backends.on_premise.facts import Facts, difference, least
from raytui.backends.on_premise.host import Answer, Host
from raytui.backends.on_premise.hosts_file import HostRecord, HostsFile, Stage
from raytui.model.resources import Resources
from raytui.model.spec import ClusterSpec
from raytui.model.text import first_line

_log = logging.getLogger(__name__)

_PATIENCE_S = 20.0
_AGAIN_S = 300.0
_AGAIN_KNOWN_S = 86_400.0
_NEVER_ASKED = HostRecord()


class Asking:
    """Asks hosts, and keeps what they say with what is known of them."""

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
        self._rebuilding = threading.Lock()
        self._rebuilt_after = ""

    def ask(self, hosts: Iterable[str]) -> None:
        """Ask hosts, all at once and for at most 20 s.

        One that was never asked and bears a claim of ours is our node: its state was lost.
        """
        hosts = list(hosts)
        answers = self._answers(hosts)
        now = self._clock()
        with self._file.change() as known:
            for host in hosts:
                record = known.get(host, _NEVER_ASKED)
                answer = answers.get(host)
                if answer is not None:
                    forgotten = not record.asked_at and record.claim is None and answer.claim
                    if forgotten:
                        record = replace(record, claim=replace(forgotten, stage=Stage.HELD))
                    record = replace(record, facts=answer.facts)
                known[host] = replace(record, asked_at=now)

    def is_due(self, record: HostRecord) -> bool:
        """Whether to ask a host again: now and then, or because it has never answered."""
        ago = self._clock() - record.asked_at
        return ago > (_AGAIN_KNOWN_S if record.facts else _AGAIN_S) and not record.off

    def known(self, spec: ClusterSpec) -> dict[str, HostRecord]:
        """All that is known of the hosts; when that was lost, they are asked first."""
        known = self._file.read()
        if self._file.lost == self._rebuilt_after:
            return known
        with self._rebuilding:
            lost = self._file.lost
            if lost != self._rebuilt_after:
                _log.error("%s; the claims on the hosts say what is ours", lost)
                self.ask(_hosts_of(spec))
                self._rebuilt_after = lost
        return self._file.read()

    def fill(self, spec: ClusterSpec) -> ClusterSpec:
        """The spec with the resources of node types as their hosts have them.

        Of each resource the least of a type's hosts; what the file states stays. Hosts that were
        never asked are asked now; without an answer nothing is guessed.
        """
        known = self._file.read()
        new = [host for host in _hosts_of(spec) if not known.get(host, _NEVER_ASKED).asked_at]
        if new:
            self.ask(new)
        facts = self._facts()
        types = dict(spec.node_types)
        for name, pool in spec.pools.items():
            found = least(facts[host] for host in pool.hosts if host in facts)
            amounts = {**found.amounts(), **pool.resources.amounts()}
            types[name] = replace(types[name], resources=Resources.of(amounts))
        return replace(spec, node_types=types)

    def unlike(self, spec: ClusterSpec) -> list[str]:
        """Of each node type with hosts that differ, how they do, and what to do about it."""
        facts = self._facts()
        found = {
            name: difference({host: facts[host] for host in pool.hosts if host in facts})
            for name, pool in spec.pools.items()
        }
        return [
            f"the hosts of {name} are not alike ({how}); the least of each is planned with, "
            "metadata.raytui.pools makes types of them"
            for name, how in found.items()
            if how
        ]

    def _facts(self) -> dict[str, Facts]:
        return {h: record.facts for h, record in self._file.read().items() if record.facts}

    def _answers(self, hosts: Sequence[str]) -> dict[str, Answer]:
        asked = {self._pool.submit(self._one, host): host for host in hosts}
        ended = wait(asked, timeout=_PATIENCE_S).done
        found = {asked[future]: future.result() for future in ended}
        return {host: answer for host, answer in found.items() if answer is not None}

    def _one(self, host: str) -> Answer | None:
        try:
            return self._host(host).ask()
        except ProviderError as error:
            _log.info("%s", first_line(str(error)))
            return None


def _hosts_of(spec: ClusterSpec) -> list[str]:
    return [host for pool in spec.pools.values() for host in pool.hosts]
