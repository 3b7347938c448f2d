"""People and their jobs: work that comes and goes, and orders at bad moments."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgspec

from raytui.model.command import (
    Ack,
    Command,
    HoldNodes,
    Pause,
    ReleaseNodes,
    RequestResources,
    Resume,
    SetCeiling,
    SetFloor,
    SweepOrphans,
    Terminate,
)
from raytui.model.leaving import OrphanPolicy, RebalancePolicy, RemovalRules, Share
from raytui.model.resources import Resources
from raytui.model.snapshot import Snapshot
from raytui.model.spec import ClusterSpec, Market, NodeType, Offering, ProviderSpec
from raytui.model.state import LabelSelector, Strategy
from tests.simulation.raycluster import Group, RayTruth, Work

_SHAPES = (
    ({"CPU": 1}, 8),
    ({"CPU": 2}, 4),
    ({"CPU": 4}, 3),
    ({"CPU": 1, "GPU": 1}, 3),
    ({"CPU": 10}, 1),
    ({"CPU": 0.5, "special": 1}, 1),
    ({"TPU": 1}, 1),
    ({"CPU": 64}, 1),
)
"""Shapes of work and how often they come; nothing can ever hold the last two."""

_REMOVAL = (
    RemovalRules(),
    RemovalRules(),
    RemovalRules(drain_deadline_s=30.0, max_draining=Share(1)),
    RemovalRules(max_draining=Share(50, percent=True), max_draining_idle=Share(1)),
)

_ZONE_A: LabelSelector = (("zone", "in", ("a",)),)
_NOT_ZONE_A: LabelSelector = (("zone", "not-in", ("a",)),)


def made_up_spec(dice: Random) -> ClusterSpec:
    """A small cluster: one to three worker types with limits that bind."""
    kinds = [
        NodeType(
            "small",
            Resources.of(CPU=4),
            labels={"zone": "a"},
            offerings=(
                Offering("s.spot", "a", Market.SPOT, 0.06),
                Offering("s", "a", price_per_hour=0.2),
                Offering("s", "b", price_per_hour=0.21),
            ),
        ),
        NodeType(
            "large",
            Resources.of(CPU=16, special=2),
            labels={"zone": "b"},
            offerings=(Offering("l", "b", price_per_hour=0.8),),
        ),
        NodeType(
            "gpu",
            Resources.of(CPU=8, GPU=2),
            offerings=(Offering("g", "a", price_per_hour=1.2), Offering("g", "b")),
        ),
    ]
    chosen = dice.sample(kinds, dice.randint(1, 3))
    head = NodeType("head", Resources.of(CPU=dice.choice((0, 0, 2))))
    return ClusterSpec(
        cluster_name="story",
        provider=ProviderSpec("story"),
        node_types={k.name: k for k in (head, *(_limited(k, dice) for k in chosen))},
        head_node_type="head",
        max_workers=dice.randint(2, 8),
        upscaling_speed=dice.choice((0.0, 0.5, 1.0, 5.0)),
        idle_timeout_s=dice.choice((5.0, 20.0, 45.0)),
        removal=dice.choice(_REMOVAL),
        orphans=dice.choice(tuple(OrphanPolicy)),
        rebalance=dice.choice(tuple(RebalancePolicy)),
    )


def _limited(kind: NodeType, dice: Random) -> NodeType:
    most = dice.randint(1, 5)
    least = dice.choice((0, 0, 0, min(1, most), min(2, most)))
    return msgspec.structs.replace(kind, min_workers=least, max_workers=most)


def edited(spec: ClusterSpec, dice: Random) -> ClusterSpec:
    """The spec after somebody edited its limits."""
    kinds = {
        name: _limited(kind, dice) if name != spec.head_node_type else kind
        for name, kind in spec.node_types.items()
    }
    return msgspec.structs.replace(
        spec,
        node_types=kinds,
        max_workers=dice.randint(1, 8),
        idle_timeout_s=dice.choice((5.0, 20.0, 45.0)),
    )


class Jobs:
    """Work that comes and goes."""

    def __init__(self, truth: RayTruth, dice: Random) -> None:
        self._truth = truth
        self._dice = dice
        self._serial = 0
        self._busyness = dice.choice((0.1, 0.3, 0.6))

    def act(self) -> None:
        """Maybe submit something, maybe cancel something."""
        dice, truth = self._dice, self._truth
        if dice.random() < self._busyness and len(truth.tasks) < 15:
            self._submit()
        if dice.random() < 0.1 * self._busyness and len(truth.groups) < 3:
            self._group()
        if truth.tasks and dice.random() < 0.05:
            truth.finish(dice.choice(truth.tasks))
        if truth.groups and dice.random() < 0.1:
            truth.remove(dice.choice(truth.groups))

    def _name(self, what: str) -> str:
        self._serial += 1
        return f"{what}-{self._serial}"

    def _submit(self) -> None:
        dice = self._dice
        (amounts,) = dice.choices([s for s, _ in _SHAPES], [w for _, w in _SHAPES])
        selector = dice.choice(((),) * 8 + (_ZONE_A, _NOT_ZONE_A))
        shape = Resources.of(amounts)
        is_actor = dice.random() < 0.2
        for _ in range(1 if is_actor else dice.randint(1, 5)):
            seconds = math.inf if is_actor else round(dice.uniform(2.0, 120.0), 1)
            name = self._name("actor" if is_actor else "task")
            self._truth.tasks.append(Work(name, shape, seconds, selector))

    def _group(self) -> None:
        dice = self._dice
        shape = Resources.of(dice.choice(({"CPU": 1}, {"CPU": 2}, {"CPU": 1, "GPU": 1})))
        name = self._name("group")
        bundles = [Work(f"{name}.{i}", shape, math.inf) for i in range(dice.randint(1, 3))]
        group = Group(name, dice.choice(list(Strategy)), bundles)
        for bundle in bundles:
            bundle.gang = group
        self._truth.groups.append(group)


@dataclass
class Order:
    """A command as it was given: by whom, when, and what came of it."""

    command: Command
    by: str
    at: float
    ack: Ack | None = None
    """None: the daemon died over it, so nobody knows."""

    @property
    def done(self) -> bool:
        """Whether it was carried out for certain."""
        return self.ack is not None and self.ack.ok

    @property
    def refused(self) -> bool:
        """Whether it was refused for certain."""
        return self.ack is not None and not self.ack.ok


class Operators:
    """Give orders at random moments, some about what they saw a while ago."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._rate = dice.choice((0.0, 0.05, 0.15))
        self._seen: tuple[str, ...] = ()
        self._serial = 0
        self._kinds: list[Callable[[ClusterSpec], Command | ClusterSpec | None]] = [
            self._floor, self._ceiling, self._terminate, self._terminate, self._sweep, self._hold,
            self._release, self._request, lambda _: Pause(), lambda _: Resume(),
            lambda _: Resume(), self._edit,
        ]  # fmt: skip

    def look(self, snapshot: Snapshot) -> None:
        """Sometimes they look at the screen; what they order is about what they saw then."""
        if self._dice.random() < 0.3:
            self._seen = tuple(row.id for row in snapshot.rows)

    def order(self, spec: ClusterSpec) -> tuple[Command | ClusterSpec, str] | None:
        """An order and who gives it, or None."""
        if self._dice.random() >= self._rate:
            return None
        command = self._dice.choice(self._kinds)(spec)
        if command is None:
            return None
        self._serial += 1
        return command, f"ann-{self._serial}@laptop"

    def _floor(self, spec: ClusterSpec) -> Command:
        kind = self._dice.choice(list(spec.node_types.values()))
        return SetFloor(kind.name, self._dice.choice((None, 0, 1, kind.max_workers)))

    def _ceiling(self, spec: ClusterSpec) -> Command:
        kind = self._dice.choice(list(spec.node_types.values()))
        return SetCeiling(kind.name, self._dice.choice((None, None, 0, 1, kind.max_workers)))

    def _sweep(self, spec: ClusterSpec) -> Command | None:
        ids = self._some()
        return SweepOrphans(ids) if ids else None

    def _terminate(self, spec: ClusterSpec) -> Command | None:
        ids = self._some()
        return Terminate(ids, drain_s=self._dice.choice((1.0, 20.0, 120.0))) if ids else None

    def _hold(self, spec: ClusterSpec) -> Command | None:
        ids = self._some()
        return HoldNodes(ids) if ids else None

    def _release(self, spec: ClusterSpec) -> Command | None:
        ids = self._some()
        return ReleaseNodes(ids) if ids else None

    def _request(self, spec: ClusterSpec) -> Command:
        shape = Resources.of(self._dice.choice(({"CPU": 1}, {"CPU": 4}, {"GPU": 1})))
        return RequestResources(self._dice.choice(((), ((shape, self._dice.randint(1, 6)),))))

    def _edit(self, spec: ClusterSpec) -> ClusterSpec:
        return edited(spec, self._dice)

    def _some(self) -> tuple[str, ...]:
        if not self._seen:
            return ()
        most = min(2, len(self._seen))
        return tuple(self._dice.sample(self._seen, self._dice.randint(1, most)))
