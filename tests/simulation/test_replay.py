"""A seed makes one story: it can be told again, by another process, and be made shorter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.story import Seed, tell

_ROOT = Path(__file__).parents[2]
_HASHES = """
from tests.simulation.story import Seed, tell
for number in range(6):
    print(tell(Seed(number)).trace_hash)
"""


def test_two_processes_tell_the_same_story() -> None:
    told = [_hashes(hash_seed) for hash_seed in ("1", "2")]
    assert told[0] == told[1]
    assert len(set(told[0])) == 6


def _hashes(hash_seed: str) -> list[str]:
    """Digests of six stories, told in a process whose sets and dicts of strings are shuffled."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", _HASHES],
        env=environment,
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout.split()


def test_a_told_story_says_how_to_tell_it_again() -> None:
    seed = Seed(7, steps=5, without=frozenset({"twice", "people"}))
    command = "python -m tests.simulation --seeds 7 --steps 5 --without people,twice --trace"
    assert seed.command() == command


@pytest.mark.parametrize("without", ["people", "jobs", "late-reply"])
def test_what_is_left_out_does_not_happen(without: str) -> None:
    lines: list[str] = []
    told = tell(Seed(3, without=frozenset({without})), lines.append)
    assert not told.struck[without]
    assert not (without == "people" and any("ann-" in line for line in lines))
