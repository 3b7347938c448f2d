"""Pods on a page: their containers, and what Kubernetes says has happened, in its own words."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from textwrap import wrap

from raytui.client.pods import PodContainer
from raytui.model.happening import Happening
from raytui.model.snapshot import Event, Level
from raytui.model.text import clock_text
from raytui.widgets.cell import Cell, cell

_MOST = 12
"""Events of a node that are shown."""
_MOST_LINES = 6
"""Of one event's message."""
_INDENT = "    "


def container_cell(one: PodContainer) -> Cell:
    """A container and its state: `ray-worker ● running`."""
    if one.is_running:
        glyph, style = "●", "$state-running"
    elif one.state.startswith("waiting"):
        glyph, style = "◐", "$state-starting"
    elif one.is_init and one.state in ("ended", "ended: Completed"):
        glyph, style = "✓", "$quiet"
    else:
        glyph, style = "✕", "$state-failed"
    again = f", restarted {one.restarts}×" if one.restarts else ""
    return cell(one.name, " ", (f"{glyph} {one.state}{again}", style))


def container_lines(containers: Sequence[PodContainer]) -> list[Cell]:
    """A section with a line for each container; nothing without any."""
    if not containers:
        return []
    lines = [cell("  ", *container_cell(one)) for one in containers]
    return [(), cell(("CONTAINERS", "bold $heading")), *lines]


def happening_lines(happenings: Sequence[Happening], width: int) -> list[Cell]:
    """A section `width` columns wide with the newest events first; nothing without any."""
    if not happenings:
        return []
    lines: list[Cell] = [(), cell(("EVENTS", "bold $heading"))]
    for one in sorted(happenings, key=lambda one: -one.at)[:_MOST]:
        style = "$state-draining" if one.is_warning else ""
        times = f" ×{one.count}" if one.count > 1 else ""
        sign = "!" if one.is_warning else "·"
        when = ("  " + clock_text(one.at), "$quiet")
        lines.append(cell(when, (f"  {sign} {one.reason}{times}", style)))
        told = wrap(one.message, max(20, width - len(_INDENT)))[:_MOST_LINES]
        lines += [cell(_INDENT + words) for words in told]
        if one.source:
            lines.append(cell((_INDENT + one.source, "$quiet")))
    return lines


def as_event(one: Happening) -> Event:
    """What Kubernetes tells, as a line among raytui's own; its id is below zero."""
    about = f"{one.about}: " if one.about else ""
    times = f" ×{one.count}" if one.count > 1 else ""
    words = one.message.splitlines()
    text = f"{about}{one.reason}{times}" + (f": {words[0]}" if words else "")
    # One that comes again is the same line, so what it says identifies it.
    named = f"{one.about}\0{one.reason}\0{one.message}\0{one.source}".encode()
    return Event(
        event_id=-1 - zlib.crc32(named),
        at=one.at,
        level=Level.WARNING if one.is_warning else Level.INFO,
        text=text,
        detail=one.message if len(words) > 1 or len(text) > 80 else "",
        by=one.source or "Kubernetes",
    )
