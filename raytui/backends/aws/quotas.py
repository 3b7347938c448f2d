"""What an account may run at EC2, and what of a cluster does not fit in: told, never enforced.

Quotas are of vCPUs, by families of instance types and by market. What is told may be old by the
time it is read, so nothing is planned by it: EC2's own refusal is remembered when it comes.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from raytui.backends.aws import tags
from raytui.backends.aws.buckets import bucket_of
from raytui.backends.aws.catalog import InstanceType, load
from raytui.backends.aws.described import ALIVE, entries, market_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ProviderError
from raytui.config.durable import write_durably
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering
from raytui.model.text import count_text

LASTS_S = 24 * 3600.0
"""How old a quota may be before it is asked for again."""

_CODES = {
    "L-1216C47A": ("Standard", Market.ON_DEMAND),
    "L-34B43A08": ("Standard", Market.SPOT),
    "L-DB2E81BA": ("G and VT", Market.ON_DEMAND),
    "L-3819A6DF": ("G and VT", Market.SPOT),
    "L-417A185B": ("P", Market.ON_DEMAND),
    "L-7212CCBC": ("P", Market.SPOT),
    "L-6E869C2A": ("DL", Market.ON_DEMAND),
    "L-85EED4F7": ("DL", Market.SPOT),
    "L-74FC7D96": ("F", Market.ON_DEMAND),
    "L-88CF9481": ("F", Market.SPOT),
    "L-1945791B": ("Inf", Market.ON_DEMAND),
    "L-B5D1601B": ("Inf", Market.SPOT),
    "L-2C3B7624": ("Trn", Market.ON_DEMAND),
    "L-6B0D517C": ("Trn", Market.SPOT),
    "L-7295265B": ("X", Market.ON_DEMAND),
    "L-E3A00192": ("X", Market.SPOT),
    "L-F7808C92": ("HPC", Market.ON_DEMAND),
    "L-43DA4232": ("High Memory", Market.ON_DEMAND),
}
"""Service Quotas' code of each limit on vCPUs of instances that run."""
_CODE_OF = {kind: code for code, kind in _CODES.items()}

_Kind = tuple[str, Market]
"""A bucket of instance types, on one market."""
_APART = ("capacity-block", "host")
"""Lifecycle and tenancy of instances that count against other limits."""


class Quotas(Struct, frozen=True, omit_defaults=True):
    """What an account may run in one region."""

    region: str
    vcpus: dict[str, float] = {}
    """By code of Service Quotas; what is not in it is unknown."""
    at: float = 0.0
    """Unix seconds."""


class Shortage(Struct, frozen=True):
    """Nodes that do not fit in a quota."""

    region: str
    bucket: str
    market: Market
    at_once: bool
    """It is so for the head and the workers that there are at least; else at full size only."""
    nodes: tuple[tuple[int, str], ...]
    """How many of which instance type."""
    needed: int
    """vCPUs of these nodes."""
    allowed: int
    """vCPUs of the quota."""
    used: int
    """vCPUs of it that others in the account use."""

    def text(self) -> str:
        """One sentence, with the command that asks for more."""
        nodes = " + ".join(f"{count} × {kind}" for count, kind in self.nodes)
        when = "at once" if self.at_once else "at full size"
        code = _CODE_OF[self.bucket, self.market]
        others = f", of which others use {self.used:,}" if self.used else ""
        ask = [
            *("aws", "service-quotas", "request-service-quota-increase"),
            *("--region", self.region, "--service-code", "ec2", "--quota-code", code),
            *("--desired-value", str(self.needed + self.used)),
        ]
        return (
            f"{nodes} {when} need {count_text(self.needed, 'vCPU')}; the quota of {self.bucket} "
            f"instances ({self.market.value}) in {self.region} is {self.allowed:,} ({code})"
            f"{others}. Ask for more: {shlex.join(ask)}"
        )


def quota_lines(
    spec: ClusterSpec,
    ways: Mapping[str, Sequence[Offering]],
    aws: AwsSession,
    now: float,
    cache: Path | None = None,
) -> list[str]:
    """What of the cluster does not fit in the account, a sentence each; never raises.

    `ways` has all ways to buy each node type. Quotas are kept in the directory `cache` for a day;
    what the account uses now is one call for each thousand instances.
    """
    try:
        types = load()
        quotas = current_quotas(aws, now, cache)
        others = used_by_others(spec.cluster_name, types, aws)
    except ProviderError as error:
        return [f"whether the account's quotas suffice is unknown: {error}"]
    return [shortage.text() for shortage in shortages(spec, ways, types, quotas, others)]


def current_quotas(aws: AwsSession, now: float, cache: Path | None = None) -> Quotas:
    """The quotas of the session's region, a day old at most. Raises ProviderError."""
    path = cache / f"quotas-{aws.region}.json" if cache is not None else None
    kept = _kept(path)
    if kept is not None and 0 <= now - kept.at < LASTS_S:
        return kept
    told = aws.pages("service-quotas", "list_service_quotas", "Quotas", ServiceCode="ec2")
    vcpus = {str(one["QuotaCode"]): float(one["Value"]) for one in told}
    quotas = Quotas(aws.region, {code: vcpus[code] for code in _CODES if code in vcpus}, now)
    if path is not None:
        with suppress(OSError):  # it costs calls the next time, no more
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, msgspec.json.encode(quotas))
    return quotas


def used_by_others(
    cluster: str, types: Mapping[str, InstanceType], aws: AwsSession
) -> Counter[_Kind]:
    """The vCPUs of all instances of the account that run and are not this cluster's.

    Raises ProviderError.
    """
    return counted(entries(aws, tags.filters(instance_state_name=ALIVE)), cluster, types)


def counted(
    instances: Iterable[Mapping[str, Any]], cluster: str, types: Mapping[str, InstanceType]
) -> Counter[_Kind]:
    """The vCPUs of these instances that count against quotas, without this cluster's."""
    used: Counter[_Kind] = Counter()
    for one in instances:
        lifecycle = str(one.get("InstanceLifecycle") or "")
        apart = lifecycle in _APART or (one.get("Placement") or {}).get("Tenancy") in _APART
        if not apart and tags.read(one.get("Tags")).get(tags.CLUSTER) != cluster:
            kind = str(one["InstanceType"])
            used[bucket_of(kind), market_of(one)] += _vcpus_of(one, types.get(kind))
    return used


def shortages(
    spec: ClusterSpec,
    ways: Mapping[str, Sequence[Offering]],
    types: Mapping[str, InstanceType],
    quotas: Quotas,
    others: Mapping[_Kind, int],
) -> Iterator[Shortage]:
    """The quotas that are too small for the cluster, for what of it can only be bought under them.

    A node type that may be bought under several quotas, on spot or on demand, is left out.
    """
    of_kind: dict[_Kind, list[tuple[NodeType, InstanceType]]] = {}
    for node_type in spec.node_types.values():
        bound = _bound_to(ways.get(node_type.name, ()), types)
        if bound is not None:
            kind, smallest = bound
            of_kind.setdefault(kind, []).append((node_type, smallest))
    for kind, members in of_kind.items():
        code = _CODE_OF.get(kind)
        if code is None or code not in quotas.vcpus:
            continue
        allowed, used = int(quotas.vcpus[code]), others.get(kind, 0)
        for at_once in (True, False):
            counts = _floors(spec, members) if at_once else _ceilings(spec, members)
            needed = sum(count * one.vcpus for count, one in counts)
            if needed > allowed - used:
                nodes: Counter[str] = Counter()
                for count, one in counts:
                    nodes[one.name] += count
                named = tuple((count, name) for name, count in nodes.items() if count)
                yield Shortage(quotas.region, *kind, at_once, named, needed, allowed, used)
                break


def _bound_to(
    ways: Sequence[Offering], types: Mapping[str, InstanceType]
) -> tuple[_Kind, InstanceType] | None:
    """The one quota that all ways to buy count against, and the smallest type among them."""
    kinds = {(bucket_of(way.instance_type), way.market) for way in ways}
    bought = [types[way.instance_type] for way in ways if way.instance_type in types]
    if len(kinds) != 1 or len(bought) < len(ways):
        return None
    return kinds.pop(), min(bought, key=lambda one: one.vcpus)


def _floors(
    spec: ClusterSpec, members: Iterable[tuple[NodeType, InstanceType]]
) -> list[tuple[int, InstanceType]]:
    """The head, and as many workers as there are at least."""
    return [(kind.min_workers + (kind.name == spec.head_node_type), one) for kind, one in members]


def _ceilings(
    spec: ClusterSpec, members: Iterable[tuple[NodeType, InstanceType]]
) -> list[tuple[int, InstanceType]]:
    """The head, and the workers that take most; all together no more than the cluster may have."""
    left = spec.max_workers
    counts = []
    for kind, one in sorted(members, key=lambda member: -member[1].vcpus):
        workers = min(left, kind.max_workers)
        left -= workers
        counts.append((workers + (kind.name == spec.head_node_type), one))
    return counts


def _vcpus_of(instance: Mapping[str, Any], known: InstanceType | None) -> int:
    if known is not None:
        return known.vcpus
    options = instance.get("CpuOptions") or {}
    return int(options.get("CoreCount", 0)) * int(options.get("ThreadsPerCore", 1))


def _kept(path: Path | None) -> Quotas | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Quotas) if path is not None else None
    except (OSError, msgspec.MsgspecError):
        return None
