"""All ways to fill a node to the brim, against looking at every combination of counts."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from raytui.autoscaler.planning.buying import Supply, Wanted
from raytui.autoscaler.planning.fillings import Counts, fillings
from raytui.model.resources import Resources

_amounts = st.fixed_dictionaries(
    {}, optional={"CPU": st.integers(1, 6), "GPU": st.sampled_from([0.5, 1, 2])}
)


@given(
    st.lists(st.tuples(_amounts, st.integers(0, 4)), max_size=3),
    st.integers(0, 8),
    st.integers(0, 2),
)
def test_every_full_node_is_found_once(
    asked: list[tuple[dict[str, float], int]], cpus: int, gpus: int
) -> None:
    supply = Supply("node", Resources.of(CPU=cpus, GPU=gpus), {}, 1.0, 9)
    wanted = [Wanted(Resources.of(shape), count) for shape, count in asked]
    everything = product(*(range(want.count + 1) for want in wanted))
    possible = {counts for counts in everything if _hold(supply, wanted, counts)}
    full = {
        counts for counts in possible if not any(more in possible for more in _plus_one(counts))
    }
    found = fillings(supply, wanted, 10_000)
    assert found is not None
    assert len(found) == len(set(found))
    assert set(found) == full


def test_a_node_refuses_what_its_labels_do_not_satisfy() -> None:
    supply = Supply("node", Resources.of(CPU=4), {"zone": "a"}, 1.0, 9)
    elsewhere = Wanted(Resources.of(CPU=1), 3, ((("zone", "in", ("b",)),),))
    anywhere = Wanted(Resources.of(CPU=2), 3)
    assert fillings(supply, [elsewhere, anywhere], 100) == [(0, 2)]


def test_too_many_ways_are_not_looked_at() -> None:
    supply = Supply("node", Resources.of(CPU=64), {}, 1.0, 9)
    wanted = [Wanted(Resources.of(CPU=cpus), 64) for cpus in (1, 2, 3, 5, 7)]
    assert fillings(supply, wanted, 300) is None


def _hold(supply: Supply, wanted: list[Wanted], counts: Counts) -> bool:
    used: dict[str, int] = {}
    for want, count in zip(wanted, counts, strict=True):
        for name, units in want.shape.items():
            used[name] = used.get(name, 0) + units * count
    return all(units <= supply.room.units(name) for name, units in used.items())


def _plus_one(counts: Counts) -> list[Counts]:
    return [(*counts[:i], count + 1, *counts[i + 1 :]) for i, count in enumerate(counts)]
