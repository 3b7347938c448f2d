"""Memory of failed launches: which offering is avoided, until when, and after how many tries."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from raytui.backends.base import ProviderError
from raytui.model.plan import FailureKind, LaunchFailure
from raytui.model.spec import Offering

_FIRST_PAUSE_S = {
    FailureKind.CAPACITY: 30.0,
    FailureKind.QUOTA: 120.0,
    FailureKind.AUTH: 120.0,
    FailureKind.CONFIG: 120.0,
    FailureKind.THROTTLED: 10.0,
    FailureKind.TRANSIENT: 5.0,
    FailureKind.SETUP: 10.0,
}
_LONGEST_PAUSE_S = 600.0
_FORGET_AFTER_S = 3600.0


def remember(
    failures: Iterable[LaunchFailure],
    node_type: str,
    offering: Offering,
    error: ProviderError,
    now: float,
) -> tuple[LaunchFailure, ...]:
    """Add a failure; the pause doubles with every failure in a row, up to ten minutes."""
    new = LaunchFailure(
        node_type=node_type,
        kind=error.kind,
        message=str(error),
        failed_at=now,
        retry_at=now,
        zone=offering.zone,
        instance_type=offering.instance_type,
        market=offering.market,
    )
    others = tuple(f for f in failures if not _same_offering(f, new))
    before = next((f for f in failures if _same_offering(f, new)), None)
    count = before.count + 1 if before is not None else 1
    pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S[error.kind] * 2 ** (min(count, 10) - 1))
    return (*others, msgspec.structs.replace(new, retry_at=now + pause, count=count))


def forgive(
    failures: Iterable[LaunchFailure], node_type: str, instance_type: str, zone: str
) -> tuple[LaunchFailure, ...]:
    """Forget the failures of an offering that has just worked."""
    return tuple(
        f
        for f in failures
        if (f.node_type, f.instance_type, f.zone) != (node_type, instance_type, zone)
    )


def fade(failures: tuple[LaunchFailure, ...], now: float) -> tuple[LaunchFailure, ...]:
    """Forget failures whose pause ended long ago."""
    fresh = tuple(f for f in failures if now - f.retry_at < _FORGET_AFTER_S)
    return failures if len(fresh) == len(failures) else fresh


def _same_offering(one: LaunchFailure, other: LaunchFailure) -> bool:
    return (one.node_type, one.instance_type, one.zone, one.market) == (
        other.node_type,
        other.instance_type,
        other.zone,
        other.market,
    )
