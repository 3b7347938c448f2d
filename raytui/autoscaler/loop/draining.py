"""Removal: the intent on disk, Ray asked to drain, the deadline kept, the provider told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum

from msgspec import Struct

from raytui.autoscaler.explain import explain
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.orders import Orders, TerminateDone
from raytui.autoscaler.loop.quarantine import Quarantine
from raytui.autoscaler.loop.remembered import Remembered
from raytui.autoscaler.planning.removing import REFUSAL_S
from raytui.backends.abilities import is_replaced
from raytui.backends.base import NodeProvider
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import DrainUnderWay, FailureKind, Removal
from raytui.model.reason import Why
from raytui.model.snapshot import Level
from raytui.model.state import Instance, Node, NodeStatus
from raytui.model.text import duration_text, first_line
from raytui.ray.base import RayCluster, RayError

_REPEAT_FAILED_S = 10.0
_REPEAT_S = 60.0
"""A provider that took an order to terminate lists the instance for a while (EC2: a minute)."""
_APART_S = 300.0
"""How long what failed together is asked for one by one: one bad id must not hold up the rest."""
_NOT_THEIR_FAULT = frozenset({FailureKind.THROTTLED, FailureKind.AUTH})
"""What fails whomever a call is about; a call for each would make it worse."""
_GONE_S = 5.0
"""A draining node counts as gone when Ray has not listed it for so long: GCS may be restarting."""
_TELL_AGAIN_S = 10.0
"""Ray is told again of a drain that it does not show after so long."""
_S = InstanceStatus
_GIVEN = frozenset({_S.ALLOCATED, _S.SETTING_UP})


class _Drain(Enum):
    """How far a drain is."""

    UNDER_WAY = 1
    DONE = 2
    REFUSED = 3


class _Asked(Struct, frozen=True):
    """An order to terminate that the provider has answered."""

    again_at: float
    apart: bool


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
        quarantine: Quarantine,
        steady: Callable[[], float],
        provider: NodeProvider,
    ) -> None:
        """`steady` tells seconds that nobody can set: what is told again is measured by it."""
        self._fleet = fleet
        self._ledger = ledger
        self._journal = journal
        self._orders = orders
        self._remembered = remembered
        self._ray = ray
        self._quarantine = quarantine
        self._steady = steady
        self._provider = provider
        self._asked: dict[str, _Asked] = {}
        self._told: dict[str, float] = {}
        """When Ray accepted a drain; not known after a restart, and told again."""
        self._unheard: set[str] = set()
        """Drains that Ray could not be told of, which was said once."""
        self._absent_since: dict[str, float] = {}
        self.ended: set[str] = set()
        """Instances that the provider has said it ends; it may list them for a while."""

    def intend(
        self, removals: Sequence[Removal], orphans: Mapping[str, Instance], now: float
    ) -> None:
        """Write what is to leave; part of the transaction that records the decision.

        `orphans` by id: one that is to leave gets a row first, so that its end is followed.
        """
        drains = list(self._remembered.memory.drains)
        for removal in removals:
            name, cause = removal.instance_id, removal.reason.why.value
            instance = self._fleet.get(name)
            if instance is None and name in orphans:
                instance = self._fleet.adopt(orphans[name], now, "an orphan that is to end")
                text = f"ending {instance.node_type} {name}: {explain(removal.reason, now)}"
                self._journal.say(now, Level.WARNING, text, instance_id=name)
                self._fleet.move(name, _S.TERMINATING, now, cause)
            elif instance is not None and instance.status is _S.RUNNING:
                self._fleet.move(name, _S.DRAINING, now, cause)
                drains.append(DrainUnderWay(name, now, removal.deadline, removal.reason))
            elif instance is not None and instance.status in _GIVEN:
                self._fleet.move(name, _S.TERMINATING, now, cause)
        self._remembered.change(drains=tuple(drains))

    def carry_out(self, nodes: Mapping[str, Node] | None, now: float) -> None:
        """Ask Ray to drain what it was not asked for yet, and terminate what has drained.

        `nodes` are Ray's nodes by instance id; None when Ray does not answer: then only deadlines
        are kept. Ray does not enforce them, so we do.
        """
        steps: dict[str, _Drain] = {}
        for drain in self._remembered.memory.drains:
            name = drain.instance_id
            if self._status(name) is _S.DRAINING and not self._is_quarantined(name):
                with self._quarantine.guard(name, now):
                    steps[name] = self._step(drain, nodes, now)
        known = self._remembered.memory.refusals
        refusals = {name: at for name, at in known.items() if now - at < REFUSAL_S}
        with self._ledger.transaction():
            for name, step in steps.items():
                if step is _Drain.DONE:
                    self._fleet.move(name, _S.TERMINATING, now, "drained")
                elif step is _Drain.REFUSED:
                    self._fleet.move(name, _S.RUNNING, now, "Ray refused to drain it")
                    refusals[name] = now
            leaving = tuple(
                drain
                for drain in self._remembered.memory.drains
                if self._status(drain.instance_id) in (_S.DRAINING, _S.TERMINATING)
            )
            self._remembered.change(drains=leaving, refusals=refusals)
        self._forget_all_but({drain.instance_id for drain in leaving})
        ending = [i for i in self._fleet if i.status is _S.TERMINATING and not i.quarantined]
        self.terminate(instance.instance_id for instance in ending)

    def _status(self, instance_id: str) -> InstanceStatus | None:
        instance = self._fleet.get(instance_id)
        return None if instance is None else instance.status

    def _is_quarantined(self, instance_id: str) -> bool:
        instance = self._fleet.get(instance_id)
        return instance is not None and bool(instance.quarantined)

    def _forget_all_but(self, draining: set[str]) -> None:
        self._told = {name: at for name, at in self._told.items() if name in draining}
        self._unheard &= draining
        self._absent_since = {
            name: at for name, at in self._absent_since.items() if name in draining
        }

    def _step(self, drain: DrainUnderWay, nodes: Mapping[str, Node] | None, now: float) -> _Drain:
        name, took = drain.instance_id, duration_text(now - drain.since)
        if drain.deadline and now >= drain.deadline:
            state = "busy" if nodes is not None and name in nodes else "out of sight"
            text = f"{name} was {state} at its deadline after {took}; terminating"
            self._journal.say(now, Level.WARNING, text, instance_id=name)
            return _Drain.DONE
        if nodes is None:
            self._absent_since.pop(name, None)
            return _Drain.UNDER_WAY
        node = nodes.get(name)
        if node is None:
            gone_s = self._steady() - self._absent_since.setdefault(name, self._steady())
            waits = gone_s < _GONE_S and not self._is_replaced(name)
            return _Drain.UNDER_WAY if waits else _Drain.DONE
        self._absent_since.pop(name, None)
        lost = node.status is not NodeStatus.DRAINING
        if drain.reason.why is not Why.DRAINED:  # which Ray knows, and gives its own time
            told_at = self._told.get(name)
            if told_at is None or (lost and self._steady() - told_at >= _TELL_AGAIN_S):
                refusal = self._tell(drain, node, now)
                if refusal is not None:
                    return refusal
            if not drain.deadline or (node.idle_since and self._is_replaced(name)):
                return _Drain.DONE
        if node.idle_since and not lost:  # a node that Ray does not drain may get work any moment
            text = f"{name} drained in {took}; terminating"
            self._journal.say(now, Level.INFO, text, instance_id=name)
            return _Drain.DONE
        return _Drain.UNDER_WAY

    def _is_replaced(self, instance_id: str) -> bool:
        """Whether another one is made as soon as it has ended, unless its end is ordered before.

        Ray ends an idle node at once when it accepts a drain, and a busy one with its last task.
        """
        instance = self._fleet.get(instance_id)
        return instance is not None and is_replaced(self._provider, instance)

    def _tell(self, drain: DrainUnderWay, node: Node, now: float) -> _Drain | None:
        """Tell Ray of a drain; None when it accepted.

        An idle node that took work meanwhile stays, as Ray says. What must leave by a deadline is
        not for Ray to refuse: it is told again, until the deadline.
        """
        name = drain.instance_id
        try:
            answer = self._ray.drain(
                node.node_id,
                idle_only=not drain.deadline,
                message=f"raytui: {drain.reason.why.value}",
                deadline=drain.deadline or now,
            )
        except RayError as error:
            self._lament(f"{name} not drained yet: {error}", name, now)
            return _Drain.UNDER_WAY
        if answer.accepted:
            self._told[name] = self._steady()
            return None
        words = answer.message or "Ray refused to drain it"
        if drain.deadline:
            self._lament(f"{name} not drained yet: {words}", name, now)
            return _Drain.UNDER_WAY
        self._journal.say(now, Level.INFO, f"kept {name}: {words}", instance_id=name)
        return _Drain.REFUSED

    def _lament(self, text: str, instance_id: str, now: float) -> None:
        if instance_id not in self._unheard:
            self._unheard.add(instance_id)
            self._journal.say(now, Level.WARNING, text, instance_id=instance_id)

    def terminate(self, instance_ids: Iterable[str]) -> None:
        """Have the provider end workers of ours; one that was asked for is not asked at once."""
        due = [
            name
            for name in instance_ids
            if not self._is_head(name) and self._asked.get(name, _NEVER).again_at <= self._steady()
        ]
        apart = {name for name in due if self._asked.get(name, _NEVER).apart}
        self._orders.terminate(name for name in due if name not in apart)
        for name in sorted(apart):
            self._orders.terminate([name])

    def _is_head(self, instance_id: str) -> bool:
        instance = self._fleet.get(instance_id)
        return instance is not None and instance.is_head

    def answered(self, done: TerminateDone, now: float) -> None:
        """Take in what a terminate call brought."""
        steady = self._steady()
        self._asked = {
            name: asked for name, asked in self._asked.items() if steady - asked.again_at < _APART_S
        }
        pause = _REPEAT_S if done.error is None else _REPEAT_FAILED_S
        # Whose fault it was, calls for each of them would tell: not where calls are what fails.
        apart = done.error is not None and done.error.kind not in _NOT_THEIR_FAULT
        asked = _Asked(steady + pause, apart)
        self._asked.update((name, asked) for name in done.instance_ids)
        if done.error is None:
            self.ended = {name for name in self.ended if name in self._fleet}
            self.ended.update(done.instance_ids)
            return
        names, error = done.instance_ids, str(done.error)
        whom = ", ".join(names[:3]) + ("…" if len(names) > 3 else "")
        text = f"{whom} not terminated: {first_line(error)}"
        self._journal.say(now, Level.ERROR, text, detail=error)


_NEVER = _Asked(float("-inf"), apart=False)
