"""Tell many stories and report the broken ones: `python -m tests.simulation --seeds A-B`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context

from tests.simulation.shrinking import shrunk
from tests.simulation.story import DEFAULT_STEPS, Seed, Told, tell

_MOST_SHOWN = 20


def stories(seeds: list[Seed], jobs: int) -> Iterator[Told]:
    """Tell them all, in as many processes as asked for."""
    if jobs <= 1:
        yield from map(tell, seeds)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(tell, seeds, chunksize=20)


def main() -> int:
    """Exit with 1 when a story is broken."""
    options = _options()
    first, _, last = options.seeds.partition("-")
    without = frozenset(filter(None, options.without.split(",")))
    numbers = range(int(first), int(last or first) + 1)
    seeds = [Seed(number, options.steps, without) for number in numbers]
    if options.trace:
        return max(bool(tell(seed, print).broken) for seed in seeds)
    started, struck, steps = time.monotonic(), Counter[str](), 0
    broken: list[Told] = []
    for told in stories(seeds, options.jobs):
        struck += told.struck
        steps += told.steps
        if told.broken:
            broken.append(told)
            if len(broken) <= _MOST_SHOWN:
                print(
                    f"seed {told.seed.number}: {told.broken}\n  {told.seed.command()}", flush=True
                )
    if broken and options.shrink:
        smallest = shrunk(min(broken, key=lambda told: told.steps))
        print(f"shortest found: {smallest.broken}\n  {smallest.seed.command()}")
    took = time.monotonic() - started
    print(
        f"{len(seeds)} stories, {steps} steps, {struck.total()} faults in {took:.1f} s; "
        f"{len(broken)} broken {dict(Counter(told.invariant for told in broken))}"
    )
    return bool(broken)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0-99", help="one number, or the first and the last")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="before the calm end")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--without", default="", help="faults to leave out; also people, jobs")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    parser.add_argument("--shrink", action="store_true", help="look for a shorter broken story")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
