"""How hosts are given back: what runs there of ours is ended, now or when they answer again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait

from msgspec.structs import replace

from raytui.backends.base import ProviderError
from raytui.backends.on_premise.choosing import pause_after
from raytui.backends.on_premise.host import Host
from raytui.backends.on_premise.hosts_file import Claim, HostRecord, HostsFile, Stage
from raytui.backends.on_premise.power import switch
from raytui.backends.tags import RAY_STARTED
from raytui.model.text import first_line

_log = logging.getLogger(__name__)

PATIENCE_S = 20.0
"""A host that has not answered for so long is cleaned when it does; its node ends at once."""


class GivingBack:
    """Ends nodes. A host that cannot be asked is remembered as unclean, and nobody gets it so."""

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

    def give_back(self, instance_ids: Sequence[str], power_off: Callable[[str], str]) -> None:
        """End these nodes, all at once, within PATIENCE_S; unknown ids are ignored.

        `power_off` is the command that switches the hosts of a node type off, or empty.
        """
        wanted = set(instance_ids)
        leaving: list[tuple[str, Claim]] = []
        with self._file.change() as known:
            for host, record in known.items():
                claim = record.claim
                if claim is not None and claim.instance_id in wanted:
                    claim = replace(claim, stage=Stage.LEAVING)
                    known[host] = replace(record, claim=claim)
                    leaving.append((host, claim))
        under_way: dict[Future[None], tuple[str, Claim]] = {}
        for host, claim in leaving:
            off = power_off(claim.node_type)
            under_way[self._pool.submit(self._release, host, claim, off)] = (host, claim)
        ended, late = wait(under_way, timeout=PATIENCE_S)
        for future in ended:
            future.result()
        for future in late:
            host, claim = under_way[future]
            self._end(host, claim, f"{host}: no answer for {PATIENCE_S:g} s while it was cleaned")

    def clean(self, host: str, unclean: Sequence[str]) -> None:
        """End what was left on a host; raises ProviderError when it cannot be asked yet."""
        there = self._host(host)
        with there.turn:
            there.release(unclean)
        with self._file.change() as known:
            record = known.get(host, HostRecord())
            left = tuple(one for one in record.unclean if one not in unclean)
            known[host] = replace(record, unclean=left, avoid_until=0.0)

    def clean_all(self, unclean: Mapping[str, Sequence[str]]) -> None:
        """Try it for all of these hosts at once, within PATIENCE_S."""
        under_way = {
            self._pool.submit(self.clean, host, left): host for host, left in unclean.items()
        }
        for future in wait(under_way, timeout=PATIENCE_S).done:
            try:
                future.result()
            except ProviderError as error:
                _log.info("%s is still not clean: %s", under_way[future], first_line(str(error)))

    def _release(self, host: str, claim: Claim, power_off: str) -> None:
        try:
            there = self._host(host)
            with there.turn:
                record = self._file.read().get(host, HostRecord())
                ids = [claim.instance_id, *record.unclean]
                # A host's claim stays while it is switched off: nobody is to get it just before.
                there.release(ids, keep_claim=bool(power_off))
                off = bool(power_off) and self._switched_off(there, ids, power_off)
                self._end(host, claim, "", off=off)
        except ProviderError as error:
            self._end(host, claim, first_line(str(error)))

    def _switched_off(self, host: Host, ids: Sequence[str], command: str) -> bool:
        try:
            switch(host.name, command)
        except ProviderError as error:
            _log.warning("%s", error)
        else:
            return True
        try:
            host.release(ids)
        except ProviderError as error:
            _log.warning("%s", error)
        return False

    def _end(self, host: str, claim: Claim, error: str, *, off: bool = False) -> None:
        """The node has ended; a host that did not answer is unclean."""
        with self._file.change() as known:
            record = known.get(host, HostRecord())
            ours = record.claim is not None and record.claim.instance_id == claim.instance_id
            if not ours:
                return  # we have come too late: it has ended as one that does not answer
            failures = record.failures + (1 if error or not claim.tags.get(RAY_STARTED) else 0)
            record = replace(record, claim=None, off=off, failures=failures)
            if error:
                pause = pause_after(failures)
                unclean = (*record.unclean, claim.instance_id)
                record = replace(
                    record, unclean=unclean, error=error, avoid_until=self._clock() + pause
                )
            else:
                record = replace(record, unclean=())
            known[host] = record
