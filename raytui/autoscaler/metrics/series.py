"""A metric as data: its name, what it means, and its values by label."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

Labels = tuple[str, ...]
"""Values of a series' labels, in the order of its label names."""


class Kind(StrEnum):
    """How Prometheus treats a metric."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Durations:
    """A histogram of seconds."""

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds

    def copy(self) -> Durations:
        """The same as it is now."""
        copied = Durations(self.bounds)
        copied._counts, copied.sum_s = list(self._counts), self.sum_s
        return copied

    @property
    def count(self) -> int:
        """How many were observed."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound as text, how many were at most that long), the last one `+Inf`."""
        total, buckets = 0, []
        names = (*(str(float(bound)) for bound in self.bounds), "+Inf")
        for name, count in zip(names, self._counts, strict=True):
            total += count
            buckets.append((name, float(total)))
        return buckets


Value = float | Durations


class Series(Struct, frozen=True):
    """One metric. A counter's name is without the `_total` that Prometheus is shown."""

    kind: Kind
    name: str
    help: str
    labels: Labels
    """Names of the labels."""
    values: Mapping[Labels, Value]
    """By the values of the labels."""

    def labelled(self, name: str, value: str) -> Series:
        """The same with one label more, the last."""
        values = {(*labels, value): number for labels, number in self.values.items()}
        return Series(self.kind, self.name, self.help, (*self.labels, name), values)


def gauge(name: str, text: str, value: float) -> Series:
    """Something that goes up and down."""
    return Series(Kind.GAUGE, name, text, (), {(): value})


def gauges(name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> Series:
    """A gauge for each of several things."""
    return Series(Kind.GAUGE, name, text, labels, values)


def counter(name: str, text: str, value: float) -> Series:
    """Something that only grows."""
    return Series(Kind.COUNTER, name, text, (), {(): value})


def counters(name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> Series:
    """A counter for each of several things."""
    return Series(Kind.COUNTER, name, text, labels, values)


def histogram(name: str, text: str, durations: Durations) -> Series:
    """How long something took, as it is known now."""
    return Series(Kind.HISTOGRAM, name, text, (), {(): durations.copy()})
