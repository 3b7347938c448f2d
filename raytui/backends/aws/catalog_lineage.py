"""Which family came after which: read from AWS's names, not from a table that grows old.

A name is series, generation, and letters for what is special: `m6idn` is general purpose (m),
6th generation, Intel (i), with local disks (d) and more network (n).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

_NAME = re.compile(r"(?P<series>[a-z]+)(?P<generation>\d+)(?P<special>[a-z]*)(?P<rest>-[a-z0-9]+)?")
_ACCELERATED = frozenset({"g", "inf", "p", "trn"})
_PROCESSORS = "agi"


class Lineage(Struct, frozen=True):
    """What a family's name says."""

    series: str
    """`m`, `c`, `r`, `p`, `trn`, …"""
    generation: int
    processor: str
    """`i` Intel, `a` AMD, `g` Graviton; names without one are Intel's."""
    special: str
    """The other letters in their order (d, n, e, b, z), and what follows a hyphen (`-flex`)."""


def lineage(family: str) -> Lineage | None:
    """What a family's name says; None for names of another make (`u-6tb1`, `mac-m4`)."""
    parts = _NAME.fullmatch(family)
    if parts is None:
        return None
    letters = parts["special"]
    processor = letters[:1] if letters[:1] in tuple(_PROCESSORS) else ""
    return Lineage(
        series=parts["series"],
        generation=int(parts["generation"]),
        processor=processor or "i",
        special=letters.removeprefix(processor) + (parts["rest"] or ""),
    )


def successor(family: str, families: Iterable[str]) -> str:
    """The next generation of a family among these; empty when there is none.

    Of the same processor and specials (m5dn → m6idn); for accelerators, whose letters often name
    the GPU, else the plainest of the next generation (p4d → p5).
    """
    own = lineage(family)
    if own is None:
        return ""
    found = []
    for name in families:
        other = lineage(name)
        if other is not None and _follows(other, own):
            plainness = (other.special != own.special, len(name), name)
            found.append((other.generation, plainness))
    return min(found)[1][2] if found else ""


def _follows(other: Lineage, own: Lineage) -> bool:
    if other.series != own.series or other.generation <= own.generation:
        return False
    if (other.processor == "g") != (own.processor == "g"):
        return False
    alike = other.processor == own.processor and other.special == own.special
    return alike or own.series in _ACCELERATED
