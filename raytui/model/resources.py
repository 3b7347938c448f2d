"""Amounts of resources, held in Ray's own fixed point so that ten tenths are one."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping

from raytui.model.text import amount_text

UNITS_PER_ONE = 10_000
"""Ray keeps resources in units of 1/10,000 (`src/ray/common/scheduling/fixed_point.h`)."""


class Resources:
    """An immutable map of resource name to amount, e.g. CPU, GPU, memory (bytes), custom names.

    Amounts are integers in units of 1/10,000. Zero amounts are dropped, so two maps that mean
    the same compare equal and hash alike.
    """

    __slots__ = ("_hash", "_units")

    def __init__(self, units: Mapping[str, int] | None = None) -> None:
        self._units: dict[str, int] = {k: v for k, v in units.items() if v} if units else {}
        self._hash: int | None = None

    @classmethod
    def of(cls, amounts: Mapping[str, float] | None = None, /, **more: float) -> Resources:
        """Build from human amounts: `Resources.of(CPU=4, GPU=0.5)` or a mapping."""
        merged = {**(amounts or {}), **more}
        return cls({name: round(amount * UNITS_PER_ONE) for name, amount in merged.items()})

    def units(self, name: str) -> int:
        """The amount of one resource in units of 1/10,000; 0 when absent."""
        return self._units.get(name, 0)

    def amount(self, name: str) -> float:
        """The amount of one resource as people write it; 0 when absent."""
        return self._units.get(name, 0) / UNITS_PER_ONE

    def amounts(self) -> dict[str, float]:
        """All amounts as people write them; whole numbers come out as int."""
        return {name: _human(units) for name, units in sorted(self._units.items())}

    def items(self) -> ItemsView[str, int]:
        """(name, units) pairs."""
        return self._units.items()

    def fits(self, room: Resources) -> bool:
        """True when every amount here is available in `room`."""
        available = room._units
        return all(units <= available.get(name, 0) for name, units in self._units.items())

    def times_in(self, room: Resources) -> int:
        """How many copies of this fit in `room`; a request of nothing fits a million times."""
        available = room._units
        return min(
            (available.get(name, 0) // units for name, units in self._units.items() if units > 0),
            default=1_000_000,
        )

    def __add__(self, other: Resources) -> Resources:
        units = dict(self._units)
        for name, amount in other._units.items():
            units[name] = units.get(name, 0) + amount
        return Resources(units)

    def __sub__(self, other: Resources) -> Resources:
        units = dict(self._units)
        for name, amount in other._units.items():
            units[name] = units.get(name, 0) - amount
        return Resources(units)

    def __mul__(self, count: int) -> Resources:
        return Resources({name: units * count for name, units in self._units.items()})

    def __iter__(self) -> Iterator[str]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)

    def __bool__(self) -> bool:
        return bool(self._units)

    def __contains__(self, name: object) -> bool:
        return name in self._units

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._units == other._units

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._units.items()))
        return self._hash

    def __repr__(self) -> str:
        return f"Resources({self.text()})"

    def text(self) -> str:
        """Short form for people: `{CPU: 4, GPU: 0.5, memory: 2 GiB}`."""
        return "{" + ", ".join(f"{n}: {amount_text(n, a)}" for n, a in self._ordered()) + "}"

    def _ordered(self) -> list[tuple[str, float]]:
        first = {"CPU": 0, "GPU": 1, "memory": 2, "object_store_memory": 3}
        pairs = ((n, _human(u)) for n, u in self._units.items())
        return sorted(pairs, key=lambda pair: (first.get(pair[0], 9), pair[0]))


def _human(units: int) -> float:
    whole, rest = divmod(units, UNITS_PER_ONE)
    return whole if rest == 0 else units / UNITS_PER_ONE


EMPTY = Resources()
