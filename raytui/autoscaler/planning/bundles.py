"""Bundles of placement groups and of request_resources, counted: alike ones together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from raytui.autoscaler.planning.buying import Wanted
from raytui.model.resources import EMPTY, Resources
from raytui.model.state import Bundle, LabelSelector

Counted = list[tuple[Bundle, int]]
"""Bundles, how many of each, the hardest first."""


def counted(bundles: Iterable[tuple[Bundle, int]]) -> Counted:
    """Alike bundles together, the hardest first."""
    counts: Counter[Bundle] = Counter()
    for bundle, count in bundles:
        counts[bundle] += count
    return sorted(
        counts.items(),
        key=lambda pair: Wanted(pair[0].resources, 1, selectors_of(pair[0])).difficulty,
    )


def selectors_of(bundle: Bundle) -> tuple[LabelSelector, ...]:
    """The bundle's selector as a request has them; empty: anywhere."""
    return (bundle.selector,) if bundle.selector else ()


def conditions_of(bundles: Iterable[Bundle]) -> tuple[LabelSelector, ...]:
    """The conditions of all bundles, each once, as one selector; empty when there is none."""
    conditions = tuple(sorted({c for bundle in bundles for c in bundle.selector}))
    return (conditions,) if conditions else ()


def total_of(parts: Iterable[Resources]) -> Resources:
    """What all of them take together."""
    total = EMPTY
    for part in parts:
        total = total + part
    return total
