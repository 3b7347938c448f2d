"""Shapes of resources as people type them: `CPU=4 x3, CPU=2 GPU=1`."""

from __future__ import annotations

import math
import re

from raytui.model.resources import Resources

Bundles = tuple[tuple[Resources, int], ...]

_COUNT = re.compile(r"[x×*](\d{1,7})")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(?:([KMGT])i?B?)?", re.IGNORECASE)
_UNIT = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


class ShapeError(ValueError):
    """The text is no list of shapes; `str()` says what is wrong and shows an example."""


def parse_shapes(text: str) -> Bundles:
    """Read shapes separated by commas, each `NAME=AMOUNT …` and perhaps `xCOUNT`.

    Amounts may carry K, M, G or T (binary, for bytes). An empty text is an empty tuple.
    """
    bundles = []
    for part in text.split(","):
        if part.strip():
            bundles.append(_shape(part.strip()))
    return tuple(bundles)


def _shape(part: str) -> tuple[Resources, int]:
    amounts: dict[str, float] = {}
    count = 1
    for word in part.split():
        counted = _COUNT.fullmatch(word)
        if counted:
            count = int(counted[1])
            continue
        name, equals, amount = word.partition("=")
        if not (name and equals):
            raise ShapeError(f"“{word}” is no NAME=AMOUNT; for example: CPU=4 x3, GPU=1")
        if name in amounts:
            raise ShapeError(f"{name} stands twice in “{part}”; separate shapes with a comma")
        amounts[name] = _amount(word, amount)
    shape = Resources.of(amounts)
    if not shape:
        raise ShapeError(f"“{part}” asks for nothing; for example: CPU=4 x3, GPU=1")
    if count < 1:
        raise ShapeError(f"“{part}”: the count must be at least 1")
    return shape, count


def _amount(word: str, text: str) -> float:
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ShapeError(f"“{word}”: the amount must be a number such as 4, 0.5 or 2GiB")
    value = float(match[1]) * _UNIT[(match[2] or "").upper()]
    if not math.isfinite(value) or value > 2**50:
        raise ShapeError(f"“{word}” is more than any cluster has")
    return value
