"""Which host is tried next for a node, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raytui.backends.on_premise.hosts_file import HostRecord
from raytui.model.text import duration_text

_FIRST_PAUSE_S = 30.0
_LONGEST_PAUSE_S = 1800.0
_MOST_NAMED = 4
_NOTHING_KNOWN = HostRecord()


def in_order(hosts: Sequence[str], known: Mapping[str, HostRecord], now: float) -> list[str]:
    """The free hosts that may be tried now, best first.

    Those that failed come last, those that are switched off after those that run; otherwise the
    order is the file's, so that a small cluster stays on the same hosts.
    """
    records = {host: known.get(host, _NOTHING_KNOWN) for host in hosts}
    free = [h for h, r in records.items() if r.claim is None and not is_avoided(r, now)]
    return sorted(free, key=lambda host: (records[host].failures, records[host].off))


def is_avoided(record: HostRecord, now: float) -> bool:
    """Whether it is too early to try a host again; a clock set back does not make it so."""
    return 0 < record.avoid_until - now <= _LONGEST_PAUSE_S


def pause_after(failures: int) -> float:
    """Seconds for which a host is not asked again after so many failures in a row."""
    doubled: float = _FIRST_PAUSE_S * 2 ** min(failures - 1, 10)
    return min(doubled, _LONGEST_PAUSE_S)


def why_none(
    node_type: str,
    hosts: Sequence[str],
    known: Mapping[str, HostRecord],
    met: Mapping[str, str],
    now: float,
) -> str:
    """Who has the hosts of a type, in one line; `met` says what was met just now, by host."""
    ours = sum(1 for host in hosts if known.get(host, _NOTHING_KNOWN).claim is not None)
    words = [f"{ours} of {len(hosts)} are nodes already"] if ours else []
    for host in hosts:
        record = known.get(host, _NOTHING_KNOWN)
        if host in met:
            words.append(met[host])
        elif record.claim is None and is_avoided(record, now):
            again = duration_text(record.avoid_until - now)
            words.append(f"{record.error} (tried again in {again})")
    if len(words) > _MOST_NAMED:
        words = [*words[:_MOST_NAMED], f"and {len(words) - _MOST_NAMED} more"]
    said = "; ".join(words) if hosts else "the cluster file names none"
    return f"no host is free for {node_type}: {said}"
