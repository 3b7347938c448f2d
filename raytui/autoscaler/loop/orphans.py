"""Find orphans: instances that carry our tags and that no row of the ledger is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from raytui.autoscaler.loop.fleet import Fleet
from raytui.backends.abilities import is_ours
from raytui.backends.base import NodeProvider
from raytui.model.lifecycle import InstanceStatus
from raytui.model.state import Instance


def orphans_in(
    listing: Mapping[str, Instance], fleet: Fleet, provider: NodeProvider
) -> dict[str, Instance]:
    """The orphans of a provider's listing by id, each marked as one.

    What a launch call that has not answered may have brought is no orphan: its answer decides.
    What is dead already only has to be cleared away; what is ours whoever made it, is taken in.
    """
    on_order = {i.request_id for i in fleet if i.status is InstanceStatus.REQUESTED}
    return {
        instance_id: msgspec.structs.replace(listed, orphan=True)
        for instance_id, listed in listing.items()
        if fleet.get(instance_id) is None
        and listed.status is not InstanceStatus.LOST
        and not (listed.request_id and listed.request_id in on_order)
        and not is_ours(provider, listed)
    }


def since_when(known: Mapping[str, float], orphans: Iterable[str], now: float) -> dict[str, float]:
    """Since when each is an orphan, as far as it has been seen; others are forgotten."""
    return {instance_id: known.get(instance_id, now) for instance_id in orphans}
