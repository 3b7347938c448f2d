"""A rule of planning as a row of a table: a situation and all that the plan must make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from raytui.model.plan import Memory, Wait
from raytui.model.reason import Why
from raytui.model.spec import ClusterSpec
from raytui.model.state import ClusterState
from tests.support.clusters import kind

SMALL = kind("small", 0.20, CPU=4)
LARGE = kind("large", 0.90, CPU=16)
GPU = kind("gpu", 1.20, CPU=8, GPU=1)

Fate = tuple[Wait, Why]
"""What a request waits for, and the reason it is given."""

ON_RUNNING: Fate = (Wait.RAY, Why.FITS_RUNNING)
ON_STARTING: Fate = (Wait.STARTING, Why.WAITS_FOR_STARTING)
ON_NEW: Fate = (Wait.LAUNCH, Why.WAITS_FOR_STARTING)
NEW_FOR_GANG: Fate = (Wait.LAUNCH, Why.FOR_GANG)
NEW_FOR_CONSTRAINT: Fate = (Wait.LAUNCH, Why.FOR_CONSTRAINT)
AT_TYPE_MAX: Fate = (Wait.BLOCKED, Why.MAX_WORKERS_TYPE)
AT_GLOBAL_MAX: Fate = (Wait.BLOCKED, Why.MAX_WORKERS_GLOBAL)
AT_SPEED: Fate = (Wait.BLOCKED, Why.UPSCALING_SPEED)
BACKING_OFF: Fate = (Wait.BLOCKED, Why.BACKING_OFF)
TOO_FEW_NODES: Fate = (Wait.BLOCKED, Why.GANG_TOO_FEW_NODES)
TIED: Fate = (Wait.BLOCKED, Why.GANG_BOUND)
OVER_BUDGET: Fate = (Wait.BLOCKED, Why.BUDGET)
PAUSED: Fate = (Wait.BLOCKED, Why.PAUSED)
NOT_OBSERVED: Fate = (Wait.BLOCKED, Why.NOT_OBSERVED)
NO_TYPE_HAS: Fate = (Wait.INFEASIBLE, Why.NO_TYPE_HAS)
TOO_LARGE: Fate = (Wait.INFEASIBLE, Why.TOO_LARGE)
NO_TYPE_LABELS: Fate = (Wait.INFEASIBLE, Why.NO_TYPE_LABELS)


@dataclass(frozen=True)
class Rule:
    """A situation and its plan. Launches, removals and fates are all of them, none left out."""

    name: str
    state: ClusterState
    spec: ClusterSpec
    memory: Memory = field(default_factory=Memory)
    launches: Mapping[str, int] = field(default_factory=dict)
    """Node type to nodes launched."""
    removals: tuple[str, ...] = ()
    """Instance ids, in the order in which they leave."""
    fates: Mapping[Fate, int] = field(default_factory=dict)
    """How many requests had which fate; placement groups and constraints count as one each."""
    kept: Mapping[str, Why] = field(default_factory=dict)
    """Why some of the nodes are here; the others are not looked at."""
    args: Mapping[str, str | int | float | None] = field(default_factory=dict)
    """Arguments that the reason of the last fate must have, or (None) must not have."""
    offerings: tuple[str, ...] = ()
    """What the launches buy, as `instance type, zone, market`; not looked at when empty."""

    def __str__(self) -> str:
        return self.name
