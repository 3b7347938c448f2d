"""Takes up what is said of machines that will or may be taken back: the journal, and memory."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from raytui.autoscaler.loop import failures
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.remembered import Remembered
from raytui.autoscaler.planning.taken_back import WITHOUT_US
from raytui.backends.base import ProviderError
from raytui.model.lifecycle import COUNTED
from raytui.model.plan import DrainUnderWay, FailureKind, Memory
from raytui.model.reason import Why, because
from raytui.model.snapshot import Level
from raytui.model.spec import Offering
from raytui.model.state import Instance, Notice, NoticeKind
from raytui.model.text import clock_text

_KINDS = {
    NoticeKind.INTERRUPTION: "spot interruption notice",
    NoticeKind.REBALANCE: "rebalance recommendation",
}


class Noticing:
    """Belongs to the thread that ticks. What is to be done is for planning."""

    def __init__(self, fleet: Fleet, journal: Journal, remembered: Remembered) -> None:
        self._fleet = fleet
        self._journal = journal
        self._remembered = remembered
        self._said: set[tuple[str, NoticeKind]] = set()

    def look(self, notices: Mapping[str, Notice], now: float) -> None:
        """Say what is new of machines that work for us, and prefer other ways to buy for a while.

        `notices` are the gravest ones, by instance id. What leaves already in a softer way gets
        their deadline.
        """
        hastened = self._hasten(notices)
        for name, notice in notices.items():
            instance, key = self._fleet.get(name), (name, notice.kind)
            if instance is None or notice.kind not in _KINDS or key in self._said:
                continue
            if instance.status in COUNTED or name in hastened:
                self._said.add(key)
                self._say(instance, notice, now)
                self._remember(instance, notice, now)
        self._said = {key for key in self._said if key[0] in notices}

    def _hasten(self, notices: Mapping[str, Notice]) -> set[str]:
        before = self._memory.drains
        drains = tuple(_hastened(drain, notices.get(drain.instance_id)) for drain in before)
        self._remembered.change(drains=drains)
        return {drain.instance_id for drain in drains if drain not in before}

    @property
    def _memory(self) -> Memory:
        return self._remembered.memory

    def _say(self, instance: Instance, notice: Notice, now: float) -> None:
        what = "will take it back"
        if notice.kind is NoticeKind.REBALANCE:
            what = "may take it back soon"
        elif notice.deadline:
            what = f"takes it back at {clock_text(notice.deadline)}"
        text = f"{instance.node_type} {instance.instance_id}: {notice.by} {what}"
        words = f"{text} ({_KINDS[notice.kind]})"
        self._journal.say(now, Level.WARNING, words, instance_id=instance.instance_id)

    def _remember(self, instance: Instance, notice: Notice, now: float) -> None:
        error = ProviderError(f"{_KINDS[notice.kind]} for {instance.instance_id}")
        error.kind = FailureKind.INTERRUPTED
        offering = Offering(instance.instance_type, instance.zone, instance.market)
        known = failures.remember(
            self._memory.failures,
            instance.node_type,
            offering,
            error,
            instance.launched_at,
            now,
        )
        self._remembered.change(failures=known)


def _hastened(drain: DrainUnderWay, notice: Notice | None) -> DrainUnderWay:
    """A drain that nobody here has ordered, with the deadline of an interruption."""
    if notice is None or notice.kind is not NoticeKind.INTERRUPTION:
        return drain
    if drain.reason.why not in WITHOUT_US or drain.reason.why is Why.TAKEN_BACK:
        return drain
    reason = because(Why.TAKEN_BACK, by=notice.by, deadline=notice.deadline)
    return replace(drain, deadline=notice.deadline, reason=reason)
