"""Make a broken story shorter: fewer faults, nobody who disturbs, fewer steps."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.faults import FAULTS
from tests.simulation.story import Told, tell

_PARTS = ("people", "jobs", *(fault.name for fault in FAULTS))


def shrunk(told: Told) -> Told:
    """The shortest story found in which the same invariant breaks."""
    for part in _PARTS:
        seed = replace(told.seed, without=told.seed.without | {part})
        told = _if_broken(told, tell(seed))
    low, high = 0, told.seed.steps
    while low < high:
        middle = (low + high) // 2
        shorter = tell(replace(told.seed, steps=middle))
        if shorter.invariant == told.invariant:
            told, high = shorter, middle
        else:
            low = middle + 1
    return told


def _if_broken(told: Told, candidate: Told) -> Told:
    return candidate if candidate.invariant == told.invariant else told
