"""The invariants hold in made-up stories full of faults; `make bench` tells ten thousand."""

from __future__ import annotations

import pytest

from tests.simulation.story import Seed
from tests.simulation.telling import tell_all

_BLOCK = 30


@pytest.mark.parametrize("first", range(0, 300, _BLOCK))
def test_the_invariants_hold_in_every_story(first: int) -> None:
    summary = tell_all([Seed(number) for number in range(first, first + _BLOCK)])
    assert summary.stories == _BLOCK
    assert not [(told.seed.command(), told.broken) for told in summary.broken]
