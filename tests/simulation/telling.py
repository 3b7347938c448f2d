"""Tell many stories, in several processes, and sum up how they went."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from tests.simulation.story import Seed, Told, tell

_CHUNK = 20


@dataclass
class Summary:
    """How many stories went."""

    stories: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    """How often each fault struck."""
    broken: list[Told] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "stories": self.stories,
            "steps": self.steps,
            "virtual_hours": round(self.virtual_s / 3600, 1),
            "seconds": round(self.seconds, 1),
            "faults": dict(sorted(self.struck.items())),
            "broken": [[told.seed.command(), told.broken] for told in self.broken],
        }

    def text(self) -> str:
        """For people."""
        kinds = dict(Counter(told.invariant for told in self.broken))
        return (
            f"{self.stories} stories, {self.steps} steps, {self.virtual_s / 3600:.0f} virtual "
            f"hours, {self.struck.total()} faults in {self.seconds:.1f} s; "
            f"{len(self.broken)} broken {kinds or ''}".rstrip()
        )


def tell_all(
    seeds: Sequence[Seed], jobs: int = 1, on_broken: Callable[[Told], None] = lambda _: None
) -> Summary:
    """Tell them all; `on_broken` hears of each broken one at once."""
    summary, started = Summary(), time.monotonic()
    for told in _told(seeds, jobs):
        summary.stories += 1
        summary.steps += told.steps
        summary.virtual_s += told.seconds
        summary.struck += told.struck
        if told.broken:
            summary.broken.append(told)
            on_broken(told)
    summary.seconds = time.monotonic() - started
    return summary


def _told(seeds: Sequence[Seed], jobs: int) -> Iterator[Told]:
    if jobs <= 1:
        yield from map(tell, seeds)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(tell, seeds, chunksize=_CHUNK)
