"""Quantities as Kubernetes writes them: `500m`, `2Gi`, `1e3`."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal

_SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    **{
        name: Decimal(1000) ** power
        for name, power in zip("numkMGTPE", (*range(-3, 0), *range(1, 7)), strict=True)
    },
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)(?P<suffix>[numkMGTPE]|[KMGTPE]i)?"
)


def quantity(text: str) -> Decimal:
    """The amount; raises ValueError for what is none."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no quantity of Kubernetes, such as 500m, 4 or 2Gi")
    return Decimal(found["number"]) * _SUFFIXES[found["suffix"] or ""]


def rounded_up(text: str) -> int:
    """The amount as Ray takes it: whole, rounded up. Raises ValueError."""
    return int(quantity(text).to_integral_value(rounding=ROUND_UP))
