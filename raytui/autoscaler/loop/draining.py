"""Removal: the intent on disk, Ray asked to drain, the deadline kept, the provider told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.orders import Orders, TerminateDone
from raytui.autoscaler.loop.remembered import Remembered
from raytui.model.lifecycle import STARTING, InstanceStatus
from raytui.model.plan import DrainUnderWay, Removal
from raytui.model.snapshot import Level
from raytui.model.state import Node
from raytui.model.text import duration_text, first_line
from raytui.ray.base import RayCluster, RayError

_RETRY_TERMINATE_S = 10.0
_S = InstanceStatus


class _Drain(Enum):
    """How far a drain is."""

    UNDER_WAY = 1
    DONE = 2
    REFUSED = 3


class Draining:
    """Everything about nodes that leave. Belongs to the thread that ticks."""

    def __init__(
        self,
        fleet: Fleet,
        ledger: Ledger,
        journal: Journal,
        orders: Orders,
        remembered: Remembered,
        ray: RayCluster,
    ) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._journal = journal
        self._orders = orders
        self._remembered = remembered
        self._ray = ray
        self._retry_at: dict[str, float] = {}
        self._told: set[str] = set()
        """Draining instances of which Ray was told in this life."""

    def intend(self, removals: Sequence[Removal], now: float) -> None:
        """Write what is to leave; part of the transaction that records the decision."""
        drains = list(self._remembered.memory.drains)
        for removal in removals:
            name = removal.instance_id
            instance = self._fleet.get(name)
            if instance is None:
                continue
            if instance.status is _S.RUNNING:
                self._fleet.move(name, _S.DRAINING, now, removal.reason.why.value)
                drains.append(DrainUnderWay(name, now, removal.deadline, removal.reason))
            elif instance.status in STARTING:
                self._fleet.move(name, _S.TERMINATING, now, removal.reason.why.value)
        self._remembered.change(drains=tuple(drains))

    def carry_out(self, nodes: Mapping[str, Node], now: float) -> None:
        """Ask Ray to drain what it was not asked for yet, and terminate what has drained.

        `nodes` are Ray's nodes by instance id. Ray does not enforce the deadline, so we do.
        """
        under_way, gone = [], []
        for drain in self._remembered.memory.drains:
            instance = self._fleet.get(drain.instance_id)
            if instance is None or instance.status is not _S.DRAINING:
                continue
            step = self._step(drain, nodes.get(drain.instance_id), now)
            if step is _Drain.UNDER_WAY:
                under_way.append(drain)
            elif step is _Drain.DONE:
                gone.append(drain.instance_id)
        with self._ledger.transaction():
            for name in gone:
                self._fleet.move(name, _S.TERMINATING, now, "drained")
            self._remembered.change(drains=tuple(under_way))
        self.terminate((i.instance_id for i in self._fleet if i.status is _S.TERMINATING), now)

    def _step(self, drain: DrainUnderWay, node: Node | None, now: float) -> _Drain:
        name = drain.instance_id
        if node is None:
            return _Drain.DONE
        if name not in self._told:
            try:
                answer = self._ray.drain(
                    node.node_id,
                    idle_only=not drain.deadline,
                    message=f"raytui: {drain.reason.why.value}",
                    deadline=drain.deadline or now,
                )
            except RayError as error:
                self._journal.say(now, Level.WARNING, f"{name} not drained yet: {error}")
                return _Drain.UNDER_WAY
            if not answer.accepted:
                self._fleet.move(name, _S.RUNNING, now, answer.message)
                text = f"kept {name}: {answer.message or 'Ray refused to drain it'}"
                self._journal.say(now, Level.INFO, text, instance_id=name)
                return _Drain.REFUSED
            self._told.add(name)
        if not drain.deadline:
            return _Drain.DONE
        took = duration_text(now - drain.since)
        if node.idle_since:
            text = f"{name} drained in {took}; terminating"
            self._journal.say(now, Level.INFO, text, instance_id=name)
            return _Drain.DONE
        if now >= drain.deadline:
            text = f"{name} was busy at its deadline after {took}; terminating"
            self._journal.say(now, Level.WARNING, text, instance_id=name)
            return _Drain.DONE
        return _Drain.UNDER_WAY

    def terminate(self, instance_ids: Iterable[str], now: float) -> None:
        """Have the provider end workers of ours; one that failed is not asked again at once."""
        self._orders.terminate(
            name
            for name in instance_ids
            if self._retry_at.get(name, 0.0) <= now and not self._is_head(name)
        )

    def _is_head(self, instance_id: str) -> bool:
        instance = self._fleet.get(instance_id)
        return instance is not None and instance.is_head

    def answered(self, done: TerminateDone, now: float) -> None:
        """Take in what a terminate call brought."""
        if done.error is None:
            return
        for instance_id in done.instance_ids:
            self._retry_at[instance_id] = now + _RETRY_TERMINATE_S
        names, error = done.instance_ids, str(done.error)
        whom = ", ".join(names[:3]) + ("…" if len(names) > 3 else "")
        text = f"{whom} not terminated: {first_line(error)}"
        self._journal.say(now, Level.ERROR, text, detail=error)
