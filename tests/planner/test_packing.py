"""The picture of the room stays true whatever is placed, taken back and copied."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raytui.autoscaler.planning.packing import Packing, Placed, Stage
from raytui.model.resources import UNITS_PER_ONE, Resources

_ROOMS = {"a": 4, "b": 4, "c": 8, "d": 0}

_node = st.sampled_from([*_ROOMS, "nobody"])
_cpus = st.integers(1, 5)
_count = st.integers(0, 6)
_step = st.one_of(
    st.tuples(st.just("place"), _cpus, _count),
    st.tuples(st.just("place on"), _node, _cpus, _count),
    st.tuples(st.just("give back"), st.integers(0, 9)),
    st.tuples(st.just("copy")),
)


@given(st.lists(_step, max_size=12))
def test_room_is_what_there_was_less_what_was_placed(steps: list[tuple[object, ...]]) -> None:
    room = _room()
    there: list[tuple[Resources, Placed]] = []
    untouched: list[tuple[Packing, dict[str, int]]] = []
    for name, *args in steps:
        match name, args:
            case "place", [int(cpus), int(count)]:
                shape = Resources.of(CPU=cpus)
                there += [(shape, part) for part in room.place(shape, count)]
            case "place on", [str(node), int(cpus), int(count)]:
                shape = Resources.of(CPU=cpus)
                part = room.place_on(node, shape, count)
                fitting = min(count, _free(there).get(node, 0) // cpus)
                if part is None:
                    assert not fitting
                else:
                    assert (part.ids, part.count) == ([node], fitting)
                    there.append((shape, part))
            case "give back", [int(index)]:
                if index < len(there):
                    room.give_back(*there.pop(index))
            case _:
                untouched.append((room.copy(), _shown(room)))
                room.copy().place(Resources.of(CPU=1), 99)
                room.copy().place_on("a", Resources.of(CPU=1), 1)
        assert _shown(room) == _free(there)
    assert all(_shown(twin) == before for twin, before in untouched)


def test_what_needs_nothing_fits_on_one_node_without_end() -> None:
    part = _room().place_on("a", Resources(), 2_000_000)
    assert part is not None
    assert (part.ids, part.count) == (["a"], 2_000_000)


def _room() -> Packing:
    room = Packing(["CPU"], [])
    for name, cpus in _ROOMS.items():
        room.add(Stage.RUNNING, "node", Resources.of(CPU=cpus), {}, [name], has_gpu=False)
    return room


def _shown(room: Packing) -> dict[str, int]:
    """CPUs free on each node, as the picture has it; each node is in it once."""
    pairs = [(i, b.room.get("CPU", 0) // UNITS_PER_ONE) for b in room.bins() for i in b.ids]
    assert len(pairs) == len(_ROOMS)
    return dict(pairs)


def _free(there: list[tuple[Resources, Placed]]) -> dict[str, int]:
    """The same, by what was placed where."""
    free = dict(_ROOMS)
    for shape, part in there:
        for node, copies in part.on_each():
            free[node] -= copies * int(shape.amount("CPU"))
    return free
