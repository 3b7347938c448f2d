"""Takes up what is said of machines that will or may be taken back: the journal, and memory."""

from __future__ import annotations

from collections.abc import Mapping

from raytui.autoscaler.loop import failures
from raytui.autoscaler.loop.fleet import Fleet
from raytui.autoscaler.loop.journal import Journal
from raytui.autoscaler.loop.remembered import Remembered
from raytui.backends.base import ProviderError
from raytui.model.lifecycle import COUNTED
from raytui.model.plan import FailureKind
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

        `notices` are the gravest ones, by instance id.
        """
        for name, notice in notices.items():
            if notice.kind not in _KINDS:
                continue
            instance = self._fleet.get(name)
            key = (name, notice.kind)
            if instance is not None and instance.status in COUNTED and key not in self._said:
                self._said.add(key)
                self._say(instance, notice, now)
                self._remember(instance, notice, now)
        self._said = {key for key in self._said if key[0] in notices}

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
            self._remembered.memory.failures,
            instance.node_type,
            offering,
            error,
            instance.launched_at,
            now,
        )
        self._remembered.change(failures=known)
