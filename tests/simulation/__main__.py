"""Tell many stories and report the broken ones: `python -m tests.simulation --seeds A-B`."""

from __future__ import annotations

import argparse
import json
import sys

from tests.simulation.shrinking import shrunk
from tests.simulation.story import DEFAULT_STEPS, Seed, Told, tell
from tests.simulation.telling import tell_all


def main() -> int:
    """Exit with 1 when a story is broken."""
    options = _options()
    seeds = _seeds(options)
    if options.trace:
        return max(bool(tell(seed, print).broken) for seed in seeds)
    summary = tell_all(seeds, options.jobs, _quiet if options.json else _show)
    if options.json:
        print(json.dumps(summary.as_json()))
    else:
        print(summary.text())
        if summary.broken and options.shrink:
            _show(shrunk(min(summary.broken, key=lambda told: told.steps)))
    return bool(summary.broken)


def _show(told: Told) -> None:
    print(f"seed {told.seed.number}: {told.broken}\n  {told.seed.command()}", flush=True)


def _quiet(told: Told) -> None:
    """With --json the one object says it all."""


def _seeds(options: argparse.Namespace) -> list[Seed]:
    first, _, last = options.seeds.partition("-")
    without = frozenset(filter(None, options.without.split(",")))
    numbers = range(int(first), int(last or first) + 1)
    return [Seed(number, options.steps, without) for number in numbers]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0-99", help="one number, or the first and the last")
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="before the calm end")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--without", default="", help="faults to leave out; also people, jobs")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--shrink", action="store_true", help="look for a shorter broken story")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
