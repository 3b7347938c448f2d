"""Settings for how nodes leave: `metadata.raytui.removal` and `metadata.raytui.orphans`."""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

ORDERED_DRAIN_S = 300.0
_DAY = 24 * 60


class OrphanPolicy(StrEnum):
    """What becomes of instances that carry the cluster's tags and that nobody remembers."""

    KEEP = "keep"
    """They are shown, and end by a person's order only."""
    TERMINATE = "terminate"


class RebalancePolicy(StrEnum):
    """What becomes of a node whose machine, its owner says, may be taken back."""

    KEEP = "keep"
    """It works on; it is said, and its way to buy is avoided for a while."""
    REPLACE = "replace"
    """It leaves once there is room elsewhere for what runs on it."""


class Share(Struct, frozen=True, omit_defaults=True):
    """So many, or so many percent of all."""

    amount: float
    percent: bool = False

    def of(self, total: int) -> int:
        """The number that it means; a percentage is rounded up, so 1 % of anything is one."""
        return math.ceil(self.amount * total / 100) if self.percent else int(self.amount)


class QuietHours(Struct, frozen=True):
    """A span of every day, in minutes after midnight; it may reach into the next day."""

    start: int
    end: int

    def contains(self, minute: int) -> bool:
        """Whether a minute of the day is in it; the last one is not."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def zone_named(name: str) -> tzinfo:
    """The time zone of an IANA name; ValueError when this system knows none. UTC it always does."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"no time zone {name}") from error


class RemovalRules(Struct, frozen=True, omit_defaults=True):
    """How fast and when nodes may leave that no person ordered to leave."""

    drain_deadline_s: float | None = None
    """How long a busy node may work on once it must leave; None: what the occasion suggests."""
    max_draining: Share | None = None
    """Most workers on their way out at once, whatever the reason."""
    max_draining_idle: Share | None = None
    """The same for idle ones alone."""
    max_draining_over_limit: Share | None = None
    """The same for those above a lowered limit."""
    quiet_hours: tuple[QuietHours, ...] = ()
    timezone: str = "UTC"
    """IANA name of the zone in which `quiet_hours` are meant."""

    @property
    def ordered_drain_s(self) -> float:
        """How long a busy node may work on that a person ordered to leave, when nobody says."""
        return ORDERED_DRAIN_S if self.drain_deadline_s is None else self.drain_deadline_s

    def quiet_until(self, now: float) -> float:
        """When the quiet hours end that `now` is in (both unix seconds); 0 when it is in none."""
        until = 0.0
        for _ in self.quiet_hours:  # one span may lead into the next
            moment = datetime.fromtimestamp(until or now, zone_named(self.timezone))
            minute = moment.hour * 60 + moment.minute
            ends = [_next(moment, span.end) for span in self.quiet_hours if span.contains(minute)]
            if not ends:
                break
            until = max(ends)
        return until


def _next(moment: datetime, minute: int) -> float:
    """Unix seconds of the next time that the clock shows a minute of the day."""
    day = moment.date()
    if minute <= moment.hour * 60 + moment.minute or minute == _DAY:
        day += timedelta(days=1)
    clock = time(minute // 60 % 24, minute % 60, tzinfo=moment.tzinfo, fold=moment.fold)
    return datetime.combine(day, clock).timestamp()
