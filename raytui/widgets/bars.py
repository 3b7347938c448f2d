"""Bars and sparklines from block characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from raytui.widgets.cell import Cell

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STEPS = "▁▂▃▄▅▆▇█"


def bar(share: float, width: int, style: str = "$bar") -> Cell:
    """A bar of `width` columns filled to `share` (0 to 1) in steps of an eighth of a column.

    Anything above nothing shows at least a sliver, and only a full bar looks full.
    """
    share = min(1.0, max(0.0, share))
    eighths = round(share * width * 8)
    if share > 0:
        eighths = max(1, eighths)
    if share < 1:
        eighths = min(width * 8 - 1, eighths)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (_EIGHTHS[rest] if rest else "")
    empty = "░" * (width - len(filled))
    return tuple(span for span in ((filled, style), (empty, "$faint")) if span[0])


def blocks(share: float, width: int, style: str = "$bar") -> Cell:
    """A bar in whole blocks, `███░`: calmer than `bar` where many stand below each other."""
    share = min(1.0, max(0.0, share))
    full = round(share * width)
    if share > 0:
        full = max(1, full)
    if share < 1:
        full = min(width - 1, full)
    return tuple(s for s in (("█" * full, style), ("░" * (width - full), "$faint")) if s[0])


def sparkline(values: Sequence[float], width: int) -> str:
    """The newest values (0 to 1, oldest first) as `▁▃▇`, at most `width` columns.

    More values than columns are gathered in equal groups, each shown by its mean.
    """
    if not values or width <= 0:
        return ""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    groups = [values[a:b] for a, b in pairwise(edges)]
    means = [sum(group) / len(group) for group in groups if group]
    return "".join(_STEPS[min(7, int(min(1.0, max(0.0, mean)) * 8))] for mean in means)
