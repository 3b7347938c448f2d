"""What EC2 tells of a cluster's instances: asked for when something may be new, else as it was.

A listing of a thousand instances is megabytes of XML and a third of a second of a core; the loop
wants one a second. So the newest answer is kept. It is asked for anew every two seconds while
anything is on its way (given and not listed yet, pending, ending, not what it was a listing
before), and every half minute when all is settled; more rarely where that would take more than a
small share of a core. `look_again` makes the next question due soon, or at once.

What may be old is known to be (`age_s`), and what happened through us since is laid over it: what
EC2 gave is listed, what was told to end is ending. So the loop's decisions need a fresh listing
only for what happens to instances without us. There the loop has Ray's word first, asks us to look
again when Ray lost a node, and takes no absence from a listing for older than the listing is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from raytui.backends.aws.described import ALIVE, RUNNING, Described, ec2_id
from raytui.backends.aws.newest_result import NewestResult
from raytui.backends.base import ProviderError
from raytui.backends.tags import RAY_STARTED
from raytui.model.lifecycle import InstanceStatus
from raytui.model.state import Instance

UNLISTED_S = 60.0
"""How long EC2 may not list what it has given."""
_ENDED_KNOWN_S = 3600.0
"""How long EC2 lists what has ended."""

_NOW_S = 10.0
"""How old an answer may be for ends: nodes that become idle one by one are not each asked for."""

MOVING_S = 2.0
SETTLED_S = 30.0
"""Between two questions."""
_MOVING_SHARE = 1 / 20
_SETTLED_SHARE = 1 / 200
"""Of a core: where an answer takes long to read, questions are further apart."""
_LONGEST_MOVING_S = 30.0
_LONGEST_SETTLED_S = 120.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
"""After questions that failed, twice as long each time; meanwhile the failure is the answer."""


class Listing:
    """The instances of one cluster by our ids. Thread-safe: one asks, and others wait for it."""

    def __init__(
        self,
        ask: Callable[[], list[Described]],
        given_since: Callable[[float], Sequence[Instance]],
        clock: Callable[[], float],
        steady: Callable[[], float],
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """`clock` tells unix seconds, `steady` seconds that nobody can set, `cpu` this thread's.

        `given_since` has the instances that EC2 gave at or after a moment, and is the same object
        as long as that is the same.
        """
        self._ask = ask
        self._given_since = given_since
        self._clock = clock
        self._steady = steady
        self._cpu = cpu
        self._asking = threading.Lock()
        self._knowing = threading.RLock()
        self._told: dict[str, Described] = {}
        """EC2's newest answer, by EC2's id."""
        self._told_at = 0.0
        """When it was asked for: unix seconds, and steady ones."""
        self._told_steady: float | None = None
        self._tried_steady = float("-inf")
        self._cost_s = 0.0
        self._moves = True
        self._again = False
        self._at_once = False
        self._failure: ProviderError | None = None
        self._failures = 0
        self._alive: set[str] = set()
        """What was alive in an answer or given: should it be gone, EC2's reason is of interest."""
        self._ended: dict[str, float] = {}
        """What was told to end, and when; EC2 may go on listing it as running for a while."""
        self._known = NewestResult[dict[str, Described]]()
        self._shown = NewestResult[tuple[Instance, ...]]()

    def instances(self) -> tuple[Instance, ...]:
        """All that are not gone; the same object while nothing has changed.

        Raises ProviderError when EC2 is to be asked and does not tell.
        """
        with self._asking:
            self._renew()
        return self._all_shown()

    def find(self, instance_id: str, *, asking: bool) -> Described | None:
        """One instance as EC2 tells of it; with `asking`, one that it did not tell of yet, too."""
        found = self._all_known().get(instance_id)
        if found is not None or not asking:
            return found
        with self._asking:
            if instance_id not in self._all_known() and (
                self._again or self._since_tried() >= MOVING_S
            ):
                with suppress(ProviderError):
                    self._look()
        return self._all_known().get(instance_id)

    def known(self, instance_id: str) -> Instance | None:
        """One instance without asking: as EC2 has told or given it."""
        found = self._all_known().get(instance_id)
        if found is not None:
            return found.instance
        given = self.given(self._clock())
        return next((i for i in given.values() if i.instance_id == instance_id), None)

    def running_now(self) -> dict[str, Described]:
        """What EC2 said within the last seconds to be running, by our ids."""
        if self._told_steady is None or self.age_s > _NOW_S:
            return {}
        return {name: one for name, one in self._all_known().items() if one.state == RUNNING}

    def given(self, at: float) -> dict[str, Instance]:
        """By EC2's id: what it had given so lately at that moment that it might not tell of it."""
        return {ec2_id(i.instance_id): i for i in self._given_since(at - UNLISTED_S)}

    def ended(self, instance_ids: Iterable[str]) -> None:
        """Note that these were told to end."""
        now = self._clock()
        with self._knowing:
            self._ended = {**self._ended, **dict.fromkeys(instance_ids, now)}
        self._again = True

    def is_ending(self, instance_id: str) -> bool:
        """Whether it was told to end within the last hour."""
        return instance_id in self._ended

    @property
    def age_s(self) -> float:
        """Seconds since EC2 was asked for what is told now; 0 when nothing is told yet."""
        return 0.0 if self._told_steady is None else self._steady() - self._told_steady

    def look_again(self, *, at_once: bool = False) -> None:
        """Something may be new: ask soon, or with the next listing, whatever that costs."""
        self._again = True
        self._at_once = self._at_once or at_once

    # When to ask.

    def _renew(self) -> None:
        """Ask EC2 when that is due; while the last question failed, its failure is the answer."""
        if self._failure is not None and self._since_tried() < self._pause_s():
            raise self._failure.with_traceback(None)
        if self._failure is not None or self._since_tried() >= self._every_s():
            self._look()

    def _since_tried(self) -> float:
        return self._steady() - self._tried_steady

    def _every_s(self) -> float:
        if self._at_once:
            return 0.0
        if self._moves or self._again:
            return min(max(MOVING_S, self._cost_s / _MOVING_SHARE), _LONGEST_MOVING_S)
        return min(max(SETTLED_S, self._cost_s / _SETTLED_SHARE), _LONGEST_SETTLED_S)

    def _pause_s(self) -> float:
        return min(_FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_PAUSE_S)

    def _look(self) -> None:
        """Ask EC2, whatever it told before."""
        began, at, cpu = self._steady(), self._clock(), self._cpu()
        self._tried_steady, self._again, self._at_once = began, False, False
        try:
            found = self._ask()
        except ProviderError as error:
            self._failure = error
            self._failures += 1
            raise
        self._cost_s = self._cpu() - cpu
        self._failure, self._failures = None, 0
        with self._knowing:
            before, self._told = self._told, {one.ec2_id: one for one in found}
            self._told_at, self._told_steady = at, began
            self._ended = {i: t for i, t in self._ended.items() if t > at - _ENDED_KNOWN_S}
            known, given = self._all_known(), self.given(at)
            self._alive &= known.keys()
            self._alive |= {name for name, one in known.items() if one.state in ALIVE}
            self._alive |= {instance.instance_id for instance in given.values()}
            late = [i.instance_id for n, i in given.items() if n not in self._told]
            self._moves = (
                _states(self._told) != _states(before)  # which the next answer is to confirm
                or any(state != "running" for state in _states(self._told).values())
                or any(i not in self._ended for i in late)
                or any(i in self._ended and known[i].state != "terminated" for i in known)
            )

    # What is told.

    def _all_known(self) -> dict[str, Described]:
        """EC2's newest answer by our ids, with the newest life of machines that were used again."""
        with self._knowing:
            told, late = self._told, self._given_since(self._told_at - UNLISTED_S)

            def join() -> dict[str, Described]:
                given = {ec2_id(i.instance_id): i for i in late}
                found = (as_given(one, given.get(name)) for name, one in told.items())
                return {one.instance.instance_id: one for one in found}

            return self._known.of((told, late), join)

    def _all_shown(self) -> tuple[Instance, ...]:
        with self._knowing:
            known, late = self._all_known(), self._given_since(self._told_at - UNLISTED_S)
            told, ended = self._told, self._ended

            def show() -> tuple[Instance, ...]:
                shown = (self._as_it_is(one) for one in known.values())
                given = (i for i in late if ec2_id(i.instance_id) not in told)
                return (
                    *(instance for instance in shown if instance is not None),
                    *(instance for instance in given if instance.instance_id not in ended),
                )

            return self._shown.of((known, late, ended), show)

    def _as_it_is(self, one: Described) -> Instance | None:
        """An instance as it is listed; None for what is gone, and nobody wonders why."""
        instance = one.instance
        name = instance.instance_id
        if name in self._ended:
            gone = one.state == "terminated"
            return None if gone else replace(instance, status=InstanceStatus.TERMINATING)
        if one.died and name in self._alive:
            return replace(instance, status=InstanceStatus.LOST, detail=one.died)
        return None if one.state == "terminated" else instance


def _states(told: Mapping[str, Described]) -> dict[str, str]:
    return {name: one.state for name, one in told.items() if one.state != "terminated"}


def as_given(one: Described, given: Instance | None) -> Described:
    """A machine in a new life, though EC2 still has the tags of the life before."""
    if given is None or one.instance.instance_id == given.instance_id:
        return one
    known = replace(
        one.instance,
        instance_id=given.instance_id,
        node_type=given.node_type,
        request_id=given.request_id,
        is_head=given.is_head,
    )
    return replace(one, instance=known, tags={**one.tags, RAY_STARTED: ""})
