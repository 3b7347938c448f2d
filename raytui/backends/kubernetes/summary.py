"""How a Ray cluster is, in a few words that its RayCluster carries for who lists many of them.

KubeRay's definition of RayCluster prunes fields of `status` that it does not know, so raytui's own
words are in an annotation. Whoever drives the cluster writes it: the operator, or the daemon beside
KubeRay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from raytui.backends.kubernetes.marks import SUMMARY
from raytui.model.codec import decode, encode
from raytui.model.plan import Wait
from raytui.model.snapshot import Snapshot
from raytui.model.text import first_line

_LONGEST = 200
"""Characters of what is said in words: all annotations of an object share 256 KiB."""
_UNMET = frozenset({Wait.STARTING, Wait.LAUNCH, Wait.BLOCKED, Wait.INFEASIBLE})


class Summary(Struct, frozen=True, omit_defaults=True):
    """A Ray cluster in a line. All counts are of workers."""

    demand: int = 0
    """Requests (tasks, actors, bundles of placement groups) that no running node has room for."""
    wants: str = ""
    """The first of them as people name them: `4 × {CPU: 1}`."""
    running: int = 0
    launching: int = 0
    draining: int = 0
    cost_per_hour: float | None = None
    """USD, of all nodes; None when no price is known."""
    paused_by: str = ""
    trouble: str = ""
    """Why nothing is done, in one line; empty when all is well."""


def summary_of(resource: Mapping[str, Any]) -> Summary | None:
    """What a RayCluster says of itself; None when nobody has written it, or it cannot be read."""
    annotations = resource.get("metadata", {}).get("annotations") or {}
    try:
        return decode(annotations[SUMMARY].encode(), Summary)
    except (KeyError, msgspec.DecodeError):
        return None


def summarised(snapshot: Snapshot) -> Summary:
    """A snapshot in a line."""
    workers = [row for row in snapshot.types if not row.is_head]
    unmet = [outcome for outcome in snapshot.outcomes if outcome.wait in _UNMET]
    wants = f"{unmet[0].count} × {unmet[0].label}" if unmet else ""
    return Summary(
        demand=sum(outcome.count for outcome in unmet),
        wants=wants[:_LONGEST],
        running=sum(row.running for row in workers),
        launching=sum(row.starting for row in workers),
        draining=sum(row.draining for row in workers),
        cost_per_hour=round(snapshot.cost_per_hour, 4) if snapshot.priced else None,
        paused_by=snapshot.paused_by,
        trouble=first_line(snapshot.trouble)[:_LONGEST],
    )


def written(summary: Summary) -> str:
    """The value of the annotation."""
    return encode(summary).decode()
