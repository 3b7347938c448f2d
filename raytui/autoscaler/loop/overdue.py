"""What takes longer than it may: starts, drains and terminations (`metadata.raytui.timeouts`)."""

from __future__ import annotations

from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.remembered import Remembered
from raytui.autoscaler.loop.waits import Waits
from raytui.model.failure import FailureKind, Obstacle
from raytui.model.lifecycle import InstanceStatus, Timeouts
from raytui.model.plan import DrainUnderWay
from raytui.model.reason import Why, because
from raytui.model.snapshot import Level
from raytui.model.state import Instance
from raytui.model.text import duration_text

_S = InstanceStatus


def overdue_start(instance: Instance, limits: Timeouts, waits: Waits, now: float) -> str:
    """What an instance on its way to Ray has failed to do in time; empty while it has time."""
    if instance.obstacle is not None:
        return _held_up(instance, instance.obstacle, limits, waits, now)
    name = instance.instance_id
    if instance.ray_started_at:
        # An instance that was adopted gets its time anew: its Ray may have been a node before.
        began = max(instance.ray_started_at, instance.status_since)
        waited = waits.since(name, "ray started", began, now)
        limit, words = limits.register_s, "no Ray node {} after Ray was started on it"
    elif instance.status is _S.SETTING_UP:
        waited = waits.in_status(instance, now)
        limit, words = limits.setup_s, "set-up not done after {}"
    else:
        waited = waits.in_status(instance, now)
        limit, words = limits.boot_s, "no sign of it {} after it was allocated"
    return words.format(duration_text(limit)) if waited > limit else ""


def _held_up(
    instance: Instance, obstacle: Obstacle, limits: Timeouts, waits: Waits, now: float
) -> str:
    """The provider's words for what stands in the way, when it did so for too long.

    One error may hide and come back between two tries of the provider: its time goes on.
    """
    if not obstacle.heals:
        return obstacle.words
    name = instance.instance_id
    if obstacle.kind in (FailureKind.CAPACITY, FailureKind.QUOTA):
        waited, limit = waits.in_status(instance, now), limits.pending_s
    else:
        waited, limit = waits.still(name, f"obstacle {obstacle.kind}"), limits.failing_s
    return f"{obstacle.words} (for {duration_text(limit)})" if waited > limit else ""


class OverdueTerminations:
    """Says of instances that do not end that they do not: after the timeout, and twice that."""

    def __init__(self, journal: Journal, waits: Waits) -> None:
        self._journal = journal
        self._waits = waits
        self._said: dict[str, int] = {}

    def look(self, instance: Instance, limits: Timeouts, now: float) -> None:
        """To be called for an instance that is TERMINATING and still listed."""
        name = instance.instance_id
        waited = self._waits.in_status(instance, now)
        times = self._said.get(name, 0)
        if waited <= limits.terminate_s * 2**times:
            return
        self._said[name] = times + 1
        text = (
            f"{instance.node_type} {name} is still listed {duration_text(waited)} after it was to "
            "end; the provider is asked again"
        )
        self._journal.say(now, Level.WARNING, text, instance_id=name)

    def ended(self, instance_id: str) -> None:
        """It has ended after all."""
        self._said.pop(instance_id, None)


def end_overdue_drains(
    fleet: Fleet,
    remembered: Remembered,
    journal: Journal,
    limits: Timeouts,
    waits: Waits,
    now: float,
) -> None:
    """Come to an end with drains that Ray could not be told of for too long.

    A node that was to leave because it is idle stays: nobody knows whether it still is. One whose
    end was ordered is terminated, a timeout after the deadline that it was given.
    """
    known = {drain.instance_id: drain for drain in remembered.memory.drains}
    drains = dict(known)
    for instance in fleet:
        if instance.status is not _S.DRAINING or instance.quarantined:
            continue
        name = instance.instance_id
        drain = known.get(name)
        if drain is None:  # it was lost with a damaged ledger: ask Ray again
            reason = because(Why.DRAINING, cause="taken up again", deadline=0.0)
            drains[name] = DrainUnderWay(name, now, 0.0, reason)
            continue
        if drain.reason.why is Why.DRAINED and not drain.deadline:
            continue
        allowed = limits.drain_s + max(0.0, drain.deadline - drain.since if drain.deadline else 0.0)
        if waits.since(name, "drain", drain.since, now) <= allowed:
            continue
        del drains[name]
        took = duration_text(allowed)
        if drain.deadline:
            fleet.move(name, _S.TERMINATING, now, f"still draining after {took}")
            text = f"{name} was still draining after {took}; terminating"
        else:
            fleet.move(name, _S.RUNNING, now, f"Ray did not hear of its drain for {took}")
            text = f"kept {name}: Ray did not hear of its drain for {took}"
        journal.say(now, Level.WARNING, text, instance_id=name)
    if drains != known:
        remembered.change(drains=tuple(drains.values()))
