"""Instances and volumes with a cluster's tags that no cluster owns any more, and ending them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from raytui.backends.aws import tags
from raytui.backends.aws.choices import PriceOf
from raytui.backends.aws.described import ALIVE, STOPS, batched, entries, market_of
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ProviderError
from raytui.model.plan import FailureKind
from raytui.model.spec import Market

_UNATTACHED = "available"


class Why(StrEnum):
    """Why no cluster owns something."""

    NO_HEAD = "no head"
    """The cluster has none, neither running nor stopped."""
    HEAD_STOPPED = "head is stopped"
    """It runs while nobody can drive it. A stopped instance waits with its head, and is none."""
    SEVERAL_HEADS = "one of several heads"
    """A cluster has one; the others are driven by nobody, or by somebody who should not."""
    UNATTACHED = "unattached"
    """No instance has the volume; nodes never take one that was another's."""


class Orphan(Struct, frozen=True):
    """One instance or one volume."""

    id: str
    cluster: str
    region: str
    why: Why
    type: str
    """`m5.large`; of a volume `gp3`."""
    zone: str
    state: str
    """In EC2's words."""
    since: float
    """Unix seconds at which it was launched, started again, or made."""
    node_type: str = ""
    market: Market = Market.ON_DEMAND
    size_gib: int = 0
    """Of a volume."""
    price_per_hour: float | None = None
    """USD; None for what nobody told."""

    @property
    def is_volume(self) -> bool:
        """Whether it is a volume rather than an instance."""
        return bool(self.size_gib)

    def usd_since(self, now: float) -> float | None:
        """What it has cost at its price of now, in USD; None when that is not known."""
        if self.price_per_hour is None:
            return None
        return self.price_per_hour * max(0.0, now - self.since) / 3600


class NoOrphanError(ProviderError):
    """Something is not to be ended as an orphan; `str()` says why."""

    kind = FailureKind.CONFIG


class Seen(Struct, frozen=True):
    """What of Ray's clusters is in one region."""

    orphans: tuple[Orphan, ...]
    owned: frozenset[str]
    """Ids of instances that a cluster owns."""
    driven: frozenset[str]
    """Clusters of which one running head is the right one."""

    def chosen(self, ids: Sequence[str]) -> tuple[Orphan, ...]:
        """The orphans with these ids; what is nothing of this region is left out.

        Raises NoOrphanError for what is not to be ended so.
        """
        for name in ids:
            if name in self.owned:
                raise NoOrphanError(f"{name} belongs to a cluster that has its head")
        found = tuple(orphan for orphan in self.orphans if orphan.id in ids)
        for cluster in {o.cluster for o in found if o.why is Why.SEVERAL_HEADS}:
            heads = {o for o in self.orphans if (o.cluster, o.why) == (cluster, Why.SEVERAL_HEADS)}
            if cluster not in self.driven and heads <= set(found):
                raise NoOrphanError(
                    f"these are all heads of {cluster}; leave it the one that you use, or take it "
                    f"down: raytui down {cluster}"
                )
        return found


def look(aws: AwsSession, known_heads: Collection[str] = ()) -> Seen:
    """Two calls, and one more for each further thousand instances. Raises ProviderError.

    `known_heads` are heads that somebody goes by: where a cluster has several, such a one is right.
    """
    tagged = [{"Name": "tag-key", "Values": [tags.CLUSTER]}]
    states = tags.filters(instance_state_name=(*ALIVE, *STOPS))
    instances = list(entries(aws, [*tagged, *states]))
    loose = tags.filters(status=[_UNATTACHED])
    volumes = aws.pages("ec2", "describe_volumes", "Volumes", Filters=[*tagged, *loose])
    orphans = [
        *_orphaned(instances, aws.region, known_heads),
        *(_volume(one, aws.region) for one in volumes),
    ]
    named = {orphan.id for orphan in orphans}
    owned = [one for one in instances if one["InstanceId"] not in named]
    return Seen(
        tuple(sorted(orphans, key=lambda o: (o.cluster, o.is_volume, o.since))),
        owned=frozenset(str(one["InstanceId"]) for one in owned),
        driven=frozenset(_tags(one)[tags.CLUSTER] for one in owned if _runs_as_head(one)),
    )


def priced(orphan: Orphan, price_of: PriceOf, usd_per_gib: Mapping[str, float]) -> Orphan:
    """With its price of now; what is stopped costs its disks, of which nothing is known.

    `usd_per_gib` has the price of volume types for a GiB and an hour.
    """
    price = None
    if orphan.is_volume and orphan.type in usd_per_gib:
        price = usd_per_gib[orphan.type] * orphan.size_gib
    elif orphan.state in ALIVE:
        price = price_of(orphan.type, orphan.zone, orphan.market)
    return replace(orphan, price_per_hour=price)


def end(aws: AwsSession, orphans: Iterable[Orphan]) -> None:
    """Terminate these instances, delete these volumes, and nothing else. Raises ProviderError."""
    found = list(orphans)
    for names in batched([orphan.id for orphan in found if not orphan.is_volume]):
        aws.call("ec2", "terminate_instances", InstanceIds=names)
    for orphan in found:
        if orphan.is_volume:
            aws.call("ec2", "delete_volume", VolumeId=orphan.id)


def _orphaned(
    instances: Iterable[Mapping[str, Any]], region: str, known_heads: Collection[str]
) -> Iterable[Orphan]:
    of_cluster: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in instances:
        of_cluster[_tags(one)[tags.CLUSTER]].append(one)
    for members in of_cluster.values():
        for one, why in _without_owner(members, known_heads):
            yield _instance(one, region, why)


def _without_owner(
    members: Sequence[Mapping[str, Any]], known_heads: Collection[str]
) -> list[tuple[Mapping[str, Any], Why]]:
    """The members of one cluster that it does not own, and why."""
    heads = [one for one in members if _is_head(one)]
    running = [head for head in heads if _runs_as_head(head)]
    if len(running) > 1:
        right = [head for head in running if head["InstanceId"] in known_heads]
        return [(h, Why.SEVERAL_HEADS) for h in running if len(right) != 1 or h is not right[0]]
    if running:
        return []
    if heads:
        return [(one, Why.HEAD_STOPPED) for one in members if _state(one) in ALIVE]
    return [(one, Why.NO_HEAD) for one in members]


def _instance(one: Mapping[str, Any], region: str, why: Why) -> Orphan:
    written = _tags(one)
    return Orphan(
        id=str(one["InstanceId"]),
        cluster=written[tags.CLUSTER],
        region=region,
        why=why,
        type=str(one["InstanceType"]),
        zone=str(one["Placement"]["AvailabilityZone"]),
        state=_state(one),
        since=one["LaunchTime"].timestamp(),
        node_type=written.get(tags.TYPE, ""),
        market=market_of(one),
    )


def _volume(one: Mapping[str, Any], region: str) -> Orphan:
    return Orphan(
        id=str(one["VolumeId"]),
        cluster=_tags(one)[tags.CLUSTER],
        region=region,
        why=Why.UNATTACHED,
        type=str(one["VolumeType"]),
        zone=str(one["AvailabilityZone"]),
        state=str(one["State"]),
        since=one["CreateTime"].timestamp(),
        size_gib=int(one["Size"]),
    )


def _is_head(instance: Mapping[str, Any]) -> bool:
    return _tags(instance).get(tags.KIND) == tags.HEAD


def _runs_as_head(instance: Mapping[str, Any]) -> bool:
    return _is_head(instance) and _state(instance) in ALIVE


def _tags(described: Mapping[str, Any]) -> tags.Tags:
    return tags.read(described.get("Tags"))


def _state(instance: Mapping[str, Any]) -> str:
    return str(instance["State"]["Name"])
