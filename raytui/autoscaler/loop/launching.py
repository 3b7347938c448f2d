"""Launches: the intent on disk, the provider called, its answer taken in and learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from raytui.autoscaler.loop import failures
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.ledger import Ledger
from raytui.autoscaler.loop.orders import LaunchDone, Orders
from raytui.autoscaler.loop.remembered import Remembered
from raytui.backends.base import LaunchRequest, ProviderError
from raytui.model.failure import FailureKind
from raytui.model.lifecycle import InstanceStatus
from raytui.model.plan import Launch
from raytui.model.snapshot import Level
from raytui.model.spec import ClusterSpec, Offering
from raytui.model.state import Instance
from raytui.model.text import first_line

_S = InstanceStatus

Intent = tuple[LaunchRequest, int]
"""A request in the ledger and the number of the decision behind it."""


class Launching:
    """Everything about launches. Belongs to the thread that ticks."""

    def __init__(
        self,
        fleet: Fleet,
        ledger: Ledger,
        journal: Journal,
        orders: Orders,
        remembered: Remembered,
        new_id: Callable[[], str],
    ) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._journal = journal
        self._orders = orders
        self._remembered = remembered
        self._new_id = new_id
        self._asked_at: dict[str, float] = {}

    def intend(
        self,
        launches: Iterable[Launch],
        spec: ClusterSpec,
        head_address: str,
        decision_id: int,
        now: float,
    ) -> list[Intent]:
        """Write what is to be launched; part of the transaction that records the decision."""
        intents = []
        for launch in launches:
            request = LaunchRequest(
                request_id=f"{launch.node_type}-{self._new_id()}",
                node_type=launch.node_type,
                count=launch.count,
                offering=launch.offering,
                head_address=head_address,
                all_or_nothing=launch.all_or_nothing,
            )
            self._ledger.begin_request(request, decision_id, now)
            kind = spec.node_types[launch.node_type]
            self._fleet.intend(request, kind, launch.holdings(), now)
            intents.append((request, decision_id))
        return intents

    def carry_out(self, intents: Iterable[Intent], now: float) -> None:
        """Call the provider for what is in the ledger."""
        for request, decision_id in intents:
            for instance in self._fleet.of_request(request.request_id):
                if instance.status is _S.QUEUED:
                    self._fleet.move(instance.instance_id, _S.REQUESTED, now, "provider called")
            self._asked_at[request.request_id] = now
            self._orders.launch(request, decision_id)

    def resume(self, now: float) -> None:
        """Repeat calls whose answers were lost; the request id makes that harmless."""
        for request, decision_id in self._ledger.open_requests():
            if not self._orders.launches(request.request_id):
                text = f"resuming the launch of {request.count} × {request.node_type}"
                self._journal.say(now, Level.WARNING, text, decision_id=decision_id)
                self.carry_out([(request, decision_id)], now)

    def answered(self, done: LaunchDone, now: float) -> None:
        """Take in what a launch call brought."""
        request, error = done.request, done.error
        asked_at = self._asked_at.pop(request.request_id, now)
        took_s = now - asked_at
        outcome = f"{len(done.launched)} × {request.node_type} allocated in {took_s:.1f} s"
        if error is not None:
            outcome = f"{len(done.launched)} of {request.count} {request.node_type}: {error}"
        with self._ledger.transaction():
            self._fleet.arrived(request, done.launched, now)
            if error is not None:
                self._failed(request, error, asked_at, now)
            else:
                self._end_missing(request, now)
                known = failures.forgive_launch(
                    self._remembered.memory.failures, request.node_type, request.offering, asked_at
                )
                self._remembered.change(failures=known)
            self._ledger.end_request(request.request_id, outcome)
            self._journal.add_outcome(done.decision_id, outcome)

    def _end_missing(self, request: LaunchRequest, now: float) -> None:
        """A call that was repeated after a restart does not tell of nodes that have died since."""
        for instance in self._fleet.of_request(request.request_id):
            if instance.status is _S.REQUESTED:
                cause = "the provider gave fewer, and says nothing of the rest"
                self._fleet.move(instance.instance_id, _S.LAUNCH_FAILED, now, cause)

    def _failed(
        self, request: LaunchRequest, error: ProviderError, asked_at: float, now: float
    ) -> None:
        for instance in self._fleet.of_request(request.request_id):
            if instance.status is _S.REQUESTED:
                self._fleet.move(instance.instance_id, _S.LAUNCH_FAILED, now, str(error))
        known = failures.remember(
            self._remembered.memory.failures,
            request.node_type,
            request.offering,
            error,
            asked_at,
            now,
        )
        self._remembered.change(failures=known)
        self._journal.say(
            now,
            Level.ERROR,
            f"{request.node_type}: {error.kind}: {first_line(str(error))}",
            detail="\n".join(part for part in (str(error), error.detail) if part),
        )

    def learn(
        self, started: Iterable[tuple[Instance, float]], failed: Iterable[Instance], now: float
    ) -> None:
        """Remember how long boots take and which types fail to start.

        `started` are instances that became running, with their seconds from launch to Ray node;
        `failed` are those that did not, and running ones that were taken away.
        """
        known = self._remembered.memory.failures
        boots = dict(self._remembered.memory.boot_s)
        for instance, boot_s in started:
            known = failures.forgive_start(known, instance.node_type, instance.launched_at)
            before = boots.get(instance.node_type, boot_s)
            boots[instance.node_type] = round(0.7 * before + 0.3 * boot_s, 1)
        for instance in failed:
            known = failures.remember(
                known,
                instance.node_type,
                _offering(instance),
                _error_of(instance),
                instance.launched_at,
                now,
                on_the_way=instance.status is _S.SETUP_FAILED,
            )
        self._remembered.change(failures=failures.fade(known, now), boot_s=boots)


def _error_of(instance: Instance) -> ProviderError:
    """Why an instance did not start; the loss of one that ran says only that others are better."""
    error = ProviderError(first_line(instance.detail) or "set-up failed")
    if instance.status is _S.LOST:
        error.kind = FailureKind.INTERRUPTED
    else:
        error.kind = instance.obstacle.kind if instance.obstacle else FailureKind.SETUP
    return error


def _offering(instance: Instance) -> Offering:
    return Offering(instance.instance_type, instance.zone, instance.market)
