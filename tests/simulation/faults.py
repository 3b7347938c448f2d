"""What can go wrong: one list, and the weather of a seed that decides what does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with probability `odds` at each occasion."""

    name: str
    odds: float
    occasion: str


# The network between the daemon and the provider.
CALL_LOST = Fault("call-lost", 0.03, "a call: it never arrives, its caller is told so")
LOST_REPLY = Fault("lost-reply", 0.05, "a call: done, but its caller is told that it failed")
LATE_REPLY = Fault("late-reply", 0.25, "a call: the answer takes seconds, or a minute")
LATE_LISTING = Fault("late-listing", 0.05, "a listing: the answer takes seconds")
NO_REPLY = Fault("no-reply", 0.01, "a launch or a termination: no answer ever comes")
TWICE = Fault("twice", 0.03, "a call that was done: it arrives a second time, later")
LOST_BY_DEATH = Fault("lost-by-death", 0.5, "a call under way when the daemon dies: not done")

# The provider's answers.
CAPACITY = Fault("capacity", 0.08, "a launch: no machine is to be had now")
DROUGHT = Fault("drought", 0.04, "a launch: its offering has no machine for minutes")
QUOTA = Fault("quota", 0.02, "a launch: the account may not have more")
AUTH = Fault("auth", 0.01, "a call: credentials are refused")
CONFIG = Fault("config", 0.01, "a launch: the request is called wrong")
THROTTLED = Fault("throttled", 0.04, "a call: too many of them")
TRANSIENT = Fault("transient", 0.03, "a call: refused, to be tried again")
PARTIAL = Fault("partial", 0.15, "a launch of several: some come")
HALF_TERMINATED = Fault("half-terminated", 0.1, "a termination of several: some are, then an error")
LISTING_FAILS = Fault("listing-fails", 0.04, "a listing: an error")
LISTING_EMPTY = Fault("listing-empty", 0.005, "a listing: empty, for seconds")
LISTING_HALF = Fault("listing-half", 0.005, "a listing: most are missing, for seconds")
LISTING_LAG = Fault("listing-lag", 0.3, "a machine: listed seconds late, and long after its end")

# Machines.
SLOW_BOOT = Fault("slow-boot", 0.1, "a machine: boots in minutes")
BOOT_HANGS = Fault("boot-hangs", 0.03, "a machine: never becomes a Ray node")
DIES_BOOTING = Fault("dies-booting", 0.05, "a machine: dies while it boots")
DIES_RUNNING = Fault("dies-running", 0.15, "a machine: dies while it runs")
TAKEN_BACK = Fault("taken-back", 0.08, "a machine: the provider takes it back without a word")
RAYLET_DIES = Fault("raylet-dies", 0.05, "a machine: its raylet dies, the machine stays")
DIES_DRAINING = Fault("dies-draining", 0.1, "a drain: the machine dies in it")

STRANGER = Fault("stranger", 0.01, "a step: a machine with our tags that nobody here asked for")

# Ray's GCS.
GCS_ERROR = Fault("gcs-error", 0.02, "a question: it fails")
GCS_SILENT = Fault("gcs-silent", 0.01, "a step: GCS is away for seconds or minutes")
GCS_RESTARTS = Fault(
    "gcs-restarts", 0.01, "a step: versions start anew, nodes come back in seconds"
)
GCS_STALE = Fault("gcs-stale", 0.02, "a question: answered as of some time ago")
NEW_SESSION = Fault("new-session", 0.005, "a step: the head is started anew; no worker survives")
DRAIN_REFUSED = Fault("drain-refused", 0.1, "a drain: refused")
DRAIN_REPLY_LOST = Fault("drain-reply-lost", 0.05, "a drain: accepted, but the answer is an error")
TAKE_OVER_REFUSED = Fault("take-over-refused", 0.1, "a taking over: Ray's own monitor runs")

# People's connections.
ORDERED_TWICE = Fault("ordered-twice", 0.1, "a step: the last order comes again, as it was")

# The daemon and its machine.
KILLED_BEFORE_WRITE = Fault("killed-before-write", 0.004, "a write of the ledger: not begun")
KILLED_AFTER_WRITE = Fault("killed-after-write", 0.004, "a write of the ledger: just committed")
KILLED = Fault("killed", 0.01, "a step: between two ticks")
DISK_FULL = Fault("disk-full", 0.01, "a step: the ledger cannot grow for seconds or minutes")
CLOCK_JUMPS = Fault("clock-jumps", 0.005, "a step: the wall clock is set, back or forward")
SUSPENDED = Fault("suspended", 0.003, "a step: the daemon's machine sleeps for minutes")

# Notices; the last, so that the older faults strike in a seed as they always did.
NOTICED = Fault("noticed", 0.15, "a machine: taken back, two minutes after a notice of it")
AT_RISK = Fault("at-risk", 0.1, "a machine: a notice that it may be taken back")
DRAINED_BY_HAND = Fault("drained-by-hand", 0.08, "a machine: somebody tells Ray to drain its node")
DRAIN_UNTOLD = Fault("drain-untold", 0.2, "a notice: written down, but Ray was not told to drain")

FAULTS: tuple[Fault, ...] = tuple(x for x in list(globals().values()) if isinstance(x, Fault))


class Weather:
    """Which faults strike in a seed, how often, and when. Each has dice of its own, so that
    leaving one out leaves the others as they were, as far as the story allows."""

    def __init__(self, seed: int, without: frozenset[str] = frozenset()) -> None:
        chooser = Random(f"{seed}/weather")
        harshness = chooser.choice((0.3, 1.0, 1.0, 2.0))
        share = chooser.choice((0.15, 0.5, 0.9))
        self._seed = seed
        self._odds: dict[str, float] = {}
        for fault in FAULTS:
            there = chooser.random() < share
            if there and fault.name not in without:
                self._odds[fault.name] = min(0.6, fault.odds * harshness)
        self._dice: dict[str, Random] = {}
        self.struck: Counter[str] = Counter()

    def strikes(self, fault: Fault) -> bool:
        """Whether a fault strikes at this occasion."""
        odds = self._odds.get(fault.name)
        if odds is None or self.dice(fault).random() >= odds:
            return False
        self.struck[fault.name] += 1
        return True

    def between(self, fault: Fault, low: float, high: float) -> float:
        """How long, or how much: short more often than long."""
        return round(low + (high - low) * self.dice(fault).random() ** 2, 2)

    def dice(self, fault: Fault) -> Random:
        """The dice of one fault."""
        dice = self._dice.get(fault.name)
        if dice is None:
            dice = self._dice[fault.name] = Random(f"{self._seed}/{fault.name}")
        return dice

    def calm(self) -> None:
        """No fault strikes any more."""
        self._odds.clear()
