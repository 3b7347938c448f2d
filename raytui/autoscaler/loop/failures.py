"""Memory of failed launches: for how long each is avoided, after how many tries in a row."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from raytui.autoscaler.planning.avoided import Scope, covers, scope_of, scope_of_failure
from raytui.backends.base import ProviderError
from raytui.model.failure import FailureKind
from raytui.model.plan import LaunchFailure
from raytui.model.spec import Offering

_FIRST_PAUSE_S = {
    FailureKind.CAPACITY: 30.0,
    FailureKind.QUOTA: 120.0,
    FailureKind.AUTH: 60.0,
    FailureKind.CONFIG: 120.0,
    FailureKind.THROTTLED: 5.0,
    FailureKind.TRANSIENT: 5.0,
    FailureKind.SETUP: 10.0,
    FailureKind.INTERRUPTED: 600.0,
}
_LONGEST_PAUSE_S = {FailureKind.THROTTLED: 60.0, FailureKind.TRANSIENT: 60.0}
_LONGEST_PAUSE_OTHERS_S = 600.0
_JITTER = 0.25
"""A pause is up to this share longer, so that what failed together is not tried together."""
_FORGET_AFTER_S = 3600.0


def remember(
    failures: Iterable[LaunchFailure],
    node_type: str,
    offering: Offering,
    error: ProviderError,
    tried_at: float,
    now: float,
    *,
    on_the_way: bool = False,
) -> tuple[LaunchFailure, ...]:
    """Add a failure; the pause doubles with every failure in a row, up to ten minutes.

    A try that began (`tried_at`) before the last failure was known is part of that one: ten nodes
    whose set-up fails together have failed once. `on_the_way` is as LaunchFailure has it.
    """
    scope = scope_of(error.kind, node_type, offering)
    others, before = [], None
    for failure in failures:
        if scope_of_failure(failure) == scope:
            before = failure
        else:
            others.append(failure)
    count = 1
    if before is not None:
        count = before.count + (tried_at >= before.failed_at)
    new = LaunchFailure(
        node_type=node_type,
        kind=error.kind,
        message=str(error),
        failed_at=now,
        retry_at=now + _pause(error.kind, scope, count),
        zone=offering.zone,
        instance_type=offering.instance_type,
        market=offering.market,
        count=count,
        quota=offering.quota,
        quota_share=offering.quota_share,
        reservation=offering.reservation,
        on_the_way=on_the_way,
    )
    return (*others, new)


def forgive_launch(
    failures: Iterable[LaunchFailure], node_type: str, offering: Offering, tried_at: float
) -> tuple[LaunchFailure, ...]:
    """Forget what spoke against a launch that began at `tried_at` and brought all its nodes."""
    disproved = {scope_of(kind, node_type, offering) for kind in FailureKind}
    return tuple(
        failure
        for failure in failures
        if _met_on_the_way(failure)
        or failure.failed_at > tried_at
        or scope_of_failure(failure) not in disproved
        or not covers(failure, offering)
    )


def forgive_start(
    failures: Iterable[LaunchFailure], node_type: str, launched_at: float
) -> tuple[LaunchFailure, ...]:
    """Forget failed starts of a type of which a node, launched at `launched_at`, now runs."""
    return tuple(
        failure
        for failure in failures
        if not _met_on_the_way(failure)
        or failure.failed_at > launched_at
        or failure.node_type != node_type
    )


def fade(failures: tuple[LaunchFailure, ...], now: float) -> tuple[LaunchFailure, ...]:
    """Forget failures whose pause ended long ago."""
    fresh = tuple(f for f in failures if now - f.retry_at < _FORGET_AFTER_S)
    return failures if len(fresh) == len(failures) else fresh


def _met_on_the_way(failure: LaunchFailure) -> bool:
    return failure.on_the_way or failure.kind is FailureKind.SETUP


def _pause(kind: FailureKind, scope: Scope, count: int) -> float:
    """Seconds; the same scope and count always give the same, so that a simulation repeats."""
    longest = _LONGEST_PAUSE_S.get(kind, _LONGEST_PAUSE_OTHERS_S)
    pause = min(longest, _FIRST_PAUSE_S[kind] * 2.0 ** min(count - 1, 9))
    draw = zlib.crc32("\0".join((*scope, str(count))).encode()) / 2**32
    return float(round(pause * (1 + _JITTER * draw), 3))
