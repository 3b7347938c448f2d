"""What launch failures speak against, and which offerings are avoided now.

A failure is worth as much as its kind tells: a zone without machines says nothing about the next
zone, a quota holds in all zones, wrong credentials hold everywhere, and a provider that asks for
fewer calls wants fewer of all kinds. That a machine was taken back says only that others are
better: what nothing else can replace is bought there again.
"""

from __future__ import annotations

from collections.abc import Iterable

from raytui.model.plan import FailureKind, LaunchFailure
from raytui.model.spec import Market, NodeType, Offering

Scope = tuple[str, ...]
"""What a failure of one kind speaks against: equal scopes fail and recover together."""

_KINDS = tuple(FailureKind)


def scope_of(kind: FailureKind, node_type: str, offering: Offering) -> Scope:
    """What a failure of this kind, met when launching this offering of this type, speaks against.

    An instance type that is not known is nobody else's: then the node type stands for it.
    """
    machine = offering.instance_type or f"node type {node_type}"
    market = offering.market.value
    match kind:
        case FailureKind.AUTH | FailureKind.THROTTLED:
            return (kind,)
        case FailureKind.CONFIG | FailureKind.SETUP:
            return (kind, node_type)
        case FailureKind.QUOTA:
            return (kind, offering.quota or family_of(machine), market)
        case FailureKind.CAPACITY | FailureKind.INTERRUPTED:
            return (kind, machine, offering.zone, market, offering.reservation)
        case _:
            return (kind, node_type, machine, offering.zone, market)


def scope_of_failure(failure: LaunchFailure) -> Scope:
    """What a remembered failure speaks against."""
    return scope_of(failure.kind, failure.node_type, offering_of(failure))


def offering_of(failure: LaunchFailure) -> Offering:
    """What was to be bought."""
    return Offering(
        failure.instance_type,
        failure.zone,
        failure.market,
        quota=failure.quota,
        quota_share=failure.quota_share,
        reservation=failure.reservation,
    )


def covers(failure: LaunchFailure, offering: Offering) -> bool:
    """Whether a failure tells of an offering of its scope: what takes less of a quota may fit."""
    is_smaller = 0.0 < offering.quota_share < failure.quota_share
    return failure.kind is not FailureKind.QUOTA or not is_smaller


def refuses(failure: LaunchFailure) -> bool:
    """Whether nothing is launched for it; else what others offer merely comes first."""
    return failure.kind is not FailureKind.INTERRUPTED


def scope_text(failure: LaunchFailure) -> str:
    """The same for people: `m5.large us-west-2a spot`, `P quota spot`, `every launch`."""
    offering = offering_of(failure)
    machine = failure.instance_type or failure.node_type
    spot = " spot" if failure.market is Market.SPOT else ""
    match failure.kind:
        case FailureKind.AUTH | FailureKind.THROTTLED:
            return "every launch"
        case FailureKind.CONFIG | FailureKind.SETUP:
            return f"type {failure.node_type}"
        case FailureKind.QUOTA:
            what = f"{failure.quota} quota" if failure.quota else f"all {family_of(machine)}"
            return what + spot
        case _:
            named = offering.text() if failure.instance_type else ""
            where = f" {failure.zone}" if failure.zone else ""
            return named or f"{machine}{where}{spot}"


def family_of(instance_type: str) -> str:
    """The part of an instance type that quotas go by: `m5` of `m5.large`, `n2` of `n2-standard-8`.

    For providers that do not tell what they count: it is by family or wider, and what else a wider
    quota holds back is found out by trying.
    """
    if " " in instance_type:
        return instance_type
    for mark in (".", "-"):
        family, found, _ = instance_type.partition(mark)
        if found:
            return family
    return instance_type


class Avoided:
    """The failures that stand at one moment, asked about offerings and node types."""

    def __init__(self, failures: Iterable[LaunchFailure], now: float) -> None:
        self._standing: dict[Scope, LaunchFailure] = {}
        for failure in failures:
            # One from the future stands for nobody knows how long: the clock was set back.
            if failure.failed_at <= now < failure.retry_at:
                self._standing[scope_of_failure(failure)] = failure

    def offering(self, node_type: str, offering: Offering) -> LaunchFailure | None:
        """The failure for which an offering is avoided: of several the one that stands longest.

        An interruption counts only without others.
        """
        if not self._standing:
            return None
        scopes = (scope_of(kind, node_type, offering) for kind in _KINDS)
        found = [self._standing[scope] for scope in scopes if scope in self._standing]
        told = [failure for failure in found if covers(failure, offering)]
        return max(told, key=lambda failure: (refuses(failure), failure.retry_at), default=None)

    def node_type(self, kind: NodeType) -> LaunchFailure | None:
        """The failure for which a type is avoided, when all its offerings are; the first to end."""
        soonest: LaunchFailure | None = None
        for offering in kind.offerings:
            failure = self.offering(kind.name, offering)
            if failure is None or not refuses(failure):
                return None
            if soonest is None or failure.retry_at < soonest.retry_at:
                soonest = failure
        return soonest
