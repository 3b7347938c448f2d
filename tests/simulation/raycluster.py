"""Ray's truth, its nodes and the work on them, and the door to its GCS with faults."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from raytui.model.command import Impact
from raytui.model.resources import EMPTY, Resources
from raytui.model.spec import ClusterSpec
from raytui.model.state import (
    Bundle,
    Constraint,
    Demand,
    Gang,
    LabelSelector,
    Node,
    NodeStatus,
    Notice,
    NoticeKind,
    Strategy,
)
from raytui.ray.base import AutoscalerReport, DrainAnswer, RayError, RayView
from tests.simulation import faults
from tests.simulation.clock import Clock
from tests.simulation.cloud import NOTICE_S, Cloud, Machine
from tests.simulation.faults import Weather

_ENDLESS = math.inf


@dataclass(eq=False)
class RayNode:
    """A raylet that is alive."""

    node_id: str
    machine: Machine
    total: Resources
    labels: dict[str, str]
    available: Resources
    booted_at: float
    running: list[Work] = field(default_factory=list)
    idle_from: float = 0.0
    draining: bool = False
    drains_until: float = 0.0
    """Unix seconds; 0 when it may take as long as it takes."""
    leaves_at: float = _ENDLESS
    """When it, drained and idle, ends itself."""
    hidden_until: float = 0.0
    """GCS started anew and has not heard of it again yet."""

    @property
    def id(self) -> str:
        """Its instance id."""
        return self.machine.id

    def drain(self, now: float, until: float) -> None:
        """Take no new work, and leave when there is none; what was said last of `until` counts."""
        self.drains_until = until
        if not self.draining:
            self.draining = True
            if not self.running:
                self.leaves_at = now + 2.0


@dataclass(eq=False)
class Work:
    """A task, an actor, or a bundle of a placement group (which has no end of its own)."""

    name: str
    shape: Resources
    seconds: float
    selector: LabelSelector = ()
    node: RayNode | None = None
    ends_at: float = _ENDLESS
    gang: Group | None = None


@dataclass(eq=False)
class Group:
    """A placement group: all its bundles are placed, or none."""

    gang_id: str
    strategy: Strategy
    bundles: list[Work]

    @property
    def placed(self) -> bool:
        """Whether its bundles have their nodes."""
        return self.bundles[0].node is not None


class RayTruth:
    """What runs where. Belongs to one cluster; the head's node is one of the nodes."""

    def __init__(self, clock: Clock, weather: Weather, cloud: Cloud, dice: Random) -> None:
        self._clock = clock
        self._weather = weather
        self._cloud = cloud
        self._dice = dice
        self.spec: ClusterSpec
        self.nodes: dict[str, RayNode] = {}
        self.tasks: list[Work] = []
        self.groups: list[Group] = []
        self.wanted: tuple[tuple[Resources, int], ...] = ()
        """What request_resources asked for."""
        self.notices: dict[tuple[str, NoticeKind], Notice] = {}
        """What nodes have written down, by instance and kind."""
        self.session = 1
        self.version = 0
        self._booted = 0
        cloud.node_dies = self.lose

    # -- what happens ---------------------------------------------------------------------------

    def advance(self) -> None:
        """Boot, finish, leave, and place work."""
        self.version += 1
        now = self._clock.now
        for machine in self._cloud.alive.values():
            if machine.boots_at <= now and machine.id not in self.nodes:
                self._boot(machine)
        for node in list(self.nodes.values()):
            self._read_notices(node)
            if node.leaves_at <= now and not node.running:
                self._cloud.die(node.machine, "raylet")
        for task in [t for t in self.tasks if t.ends_at <= now]:
            self.finish(task)
        self._place()

    def _boot(self, machine: Machine) -> None:
        kind = self.spec.node_types.get(machine.instance.node_type)
        self._booted += 1
        total = kind.resources if kind else EMPTY
        node = RayNode(
            node_id=f"{self._booted:08x}",
            machine=machine,
            total=total,
            labels={
                "ray.io/node-group": machine.instance.node_type,
                **(kind.labels if kind else {}),
            },
            available=total,
            booted_at=self._clock.now,
            idle_from=self._clock.now,
        )
        machine.boots_at = _ENDLESS
        self.nodes[machine.id] = node

    def _read_notices(self, node: RayNode) -> None:
        """What the watcher on the node does, once for each notice."""
        machine, now = node.machine, self._clock.now
        if machine.at_risk_from <= now:
            machine.at_risk_from = _ENDLESS
            self._note(Notice(machine.id, NoticeKind.REBALANCE, "AWS", self._clock.wall()))
        if machine.noticed_at <= now:
            until = self._clock.wall() + machine.noticed_at + NOTICE_S - now
            machine.noticed_at = _ENDLESS
            wall = self._clock.wall()
            self._note(Notice(machine.id, NoticeKind.INTERRUPTION, "AWS", wall, until))
            if not self._weather.strikes(faults.DRAIN_UNTOLD):
                node.drain(now, until)
        if machine.drained_at <= now:
            machine.drained_at = _ENDLESS
            took_s = self._dice.choice((0.0, 5.0, 60.0))
            node.drain(now, took_s and self._clock.wall() + took_s)

    def _note(self, notice: Notice) -> None:
        self.notices[notice.instance_id, notice.kind] = notice

    def lose(self, instance_id: str) -> None:
        """A raylet is no more; what ran there is to be run elsewhere."""
        node = self.nodes.pop(instance_id, None)
        if node is None:
            return
        for work in list(node.running):
            for one in work.gang.bundles if work.gang else (work,):
                self._release(one)

    def restart(self) -> None:
        """GCS comes back with no memory of versions; raylets tell it of themselves by and by."""
        self.version = 0
        for node in self.nodes.values():
            if not node.machine.instance.is_head:
                hidden_s = self._weather.between(faults.GCS_RESTARTS, 0.0, 12.0)
                node.hidden_until = self._clock.now + hidden_s

    def new_session(self) -> None:
        """The head's Ray is started anew: every other raylet dies, and all work is gone."""
        self.session += 1
        self.version = 0
        self.notices.clear()
        self.clear()
        self.wanted = ()
        for node in list(self.nodes.values()):
            if node.machine.instance.is_head:
                del self.nodes[node.id]
                self._boot(node.machine)
            else:
                self._cloud.die(node.machine, "raylet")

    def clear(self) -> None:
        """All work ends."""
        for task in list(self.tasks):
            self.finish(task)
        for group in list(self.groups):
            self.remove(group)

    def finish(self, task: Work) -> None:
        """A task is done, or an actor is no longer wanted."""
        self._release(task)
        self.tasks.remove(task)

    def remove(self, group: Group) -> None:
        """A placement group is removed."""
        for bundle in group.bundles:
            self._release(bundle)
        self.groups.remove(group)

    def _release(self, work: Work) -> None:
        node, work.node, work.ends_at = work.node, None, _ENDLESS
        if node is not None:
            node.running.remove(work)
            node.available = node.available + work.shape
            if not node.running:
                node.idle_from = self._clock.now
                if node.draining:
                    node.leaves_at = self._clock.now + self._dice.uniform(0.0, 4.0)

    # -- Ray's scheduler ------------------------------------------------------------------------

    def _place(self) -> None:
        nodes = [n for n in self.nodes.values() if not n.draining]
        for group in self.groups:
            if not group.placed:
                self._place_group(group, nodes)
        for task in self.tasks:
            if task.node is None:
                node = next((n for n in nodes if _takes(n, task)), None)
                if node is not None:
                    self._run(task, node)

    def _place_group(self, group: Group, nodes: Sequence[RayNode]) -> None:
        places: list[RayNode] = []
        room = {node.id: node.available for node in nodes}
        whole = sum((b.shape for b in group.bundles), EMPTY)
        for bundle in group.bundles:
            choice = [n for n in nodes if bundle.shape.fits(room[n.id])]
            if group.strategy is Strategy.STRICT_PACK:
                choice = places[:1] or [n for n in choice if whole.fits(room[n.id])]
            elif group.strategy is Strategy.STRICT_SPREAD:
                choice = [n for n in choice if n not in places]
            if not choice:
                return
            places.append(choice[0])
            room[choice[0].id] = room[choice[0].id] - bundle.shape
        for bundle, node in zip(group.bundles, places, strict=True):
            self._run(bundle, node)

    def _run(self, work: Work, node: RayNode) -> None:
        work.node = node
        work.ends_at = self._clock.now + work.seconds
        node.running.append(work)
        node.available = node.available - work.shape

    # -- what GCS knows -------------------------------------------------------------------------

    def pending(self) -> Iterator[Work]:
        """Tasks and actors that wait."""
        return (task for task in self.tasks if task.node is None)

    def _drained(self, now: float) -> Iterator[Notice]:
        """GCS's list of nodes that drain."""
        for node in self.nodes.values():
            if node.draining and node.hidden_until <= now:
                yield Notice(node.id, NoticeKind.DRAINED, deadline=node.drains_until)

    def view(self) -> RayView:
        """What GCS answers now."""
        now, wall = self._clock.now, self._clock.wall()
        waiting = Counter((task.shape, task.selector) for task in self.pending())
        bundles = tuple((Bundle(shape), count) for shape, count in self.wanted)
        return RayView(
            version=self.version,
            nodes=tuple(_shown(n, now, wall) for n in self.nodes.values() if n.hidden_until <= now),
            demands=tuple(
                Demand(shape, count, (selector,) if selector else ())
                for (shape, selector), count in waiting.items()
            ),
            gangs=tuple(
                Gang(g.gang_id, g.strategy, tuple(Bundle(b.shape) for b in g.bundles))
                for g in self.groups
                if not g.placed
            ),
            constraints=(Constraint(bundles),) if bundles else (),
            session=f"session-{self.session}",
            notices=(*self.notices.values(), *self._drained(now)),
        )


def matches(selector: LabelSelector, labels: dict[str, str]) -> bool:
    """Whether a node with these labels is meant by a selector."""
    return all((labels.get(key) in values) is (op == "in") for key, op, values in selector)


def _takes(node: RayNode, work: Work) -> bool:
    return work.shape.fits(node.available) and matches(work.selector, node.labels)


def _shown(node: RayNode, now: float, wall: float) -> Node:
    status = NodeStatus.RUNNING if node.running else NodeStatus.IDLE
    return Node(
        node_id=node.node_id,
        instance_id=node.id,
        node_type=node.machine.instance.node_type,
        status=NodeStatus.DRAINING if node.draining else status,
        total=node.total,
        available=node.available,
        labels=node.labels,
        ip=node.machine.instance.ip,
        idle_since=0.0 if node.running else round(wall - (now - node.idle_from), 3),
        activity=tuple(work.name for work in node.running),
        is_head=node.machine.instance.is_head,
    )


class GcsDoor:
    """The RayCluster of the story."""

    gcs_address = "10.0.0.0:6379"

    def __init__(
        self, truth: RayTruth, clock: Clock, weather: Weather, say: Callable[[str], None]
    ) -> None:
        self._truth = truth
        self._clock = clock
        self._weather = weather
        self._say = say
        self._views: list[RayView] = []
        self.silent_until = 0.0
        self.shown: RayView | None = None
        """What was last answered."""
        self.showed_stale = False
        """Whether that was out of date."""

    def _ask(self) -> None:
        if self._clock.now < self.silent_until or self._weather.strikes(faults.GCS_ERROR):
            raise RayError("GCS does not answer")

    def observe(self) -> RayView:
        """See RayCluster."""
        self._ask()
        view = self._truth.view()
        self.showed_stale = bool(self._views) and self._weather.strikes(faults.GCS_STALE)
        if self.showed_stale:
            view = self._views[0]
        else:
            self._views = [*self._views[-1:], view]
        self.shown = view
        return view

    def report(self, report: AutoscalerReport) -> None:
        """See RayCluster."""
        self._ask()

    def take_over(self, spec: ClusterSpec) -> None:
        """See RayCluster."""
        self._ask()
        if self._weather.strikes(faults.TAKE_OVER_REFUSED):
            raise RayError("Ray's own monitor scales this cluster")

    def drain(self, node_id: str, *, idle_only: bool, message: str, deadline: float) -> DrainAnswer:
        """See RayCluster."""
        self._ask()
        node = next((n for n in self._truth.nodes.values() if n.node_id == node_id), None)
        if node is None:
            return DrainAnswer(True)
        if idle_only and node.running:
            return DrainAnswer(False, "The node to be idle terminated is no longer idle.")
        if self._weather.strikes(faults.DRAIN_REFUSED):
            return DrainAnswer(False, "The raylet does not want to.")
        self._say(f"drain {node.id} {'if idle' if idle_only else 'until its deadline'}")
        was_draining = node.draining
        node.drain(self._clock.now, deadline)
        if not was_draining and self._weather.strikes(faults.DIES_DRAINING):
            delay = self._weather.between(faults.DIES_DRAINING, 0.0, 20.0)
            node.machine.dies_at = min(node.machine.dies_at, self._clock.now + delay)
            node.machine.dies_how = "dies"
        if self._weather.strikes(faults.DRAIN_REPLY_LOST):
            raise RayError("the answer to the drain was lost")
        return DrainAnswer(True)

    def request_resources(self, bundles: Sequence[tuple[Resources, int]]) -> None:
        """See RayCluster."""
        self._ask()
        self._truth.wanted = tuple(bundles)

    def impact(self, node_ids: Sequence[str]) -> dict[str, Impact]:
        """See RayCluster."""
        return {}

    def dashboard_url(self) -> str:
        """See RayCluster."""
        return ""

    def close(self) -> None:
        """See RayCluster."""

    def calm(self) -> None:
        """GCS answers again."""
        self.silent_until = 0.0
