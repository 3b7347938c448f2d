"""Lengths of time as people type them: `90`, `90s`, `5m`, `1h30m`, `2d`."""

from __future__ import annotations

import re

import click

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?[smhd]?)+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")


class Duration(click.ParamType[float]):
    """Seconds, from a number with units; a bare number is seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The length in seconds."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip().lower()
        if not _WHOLE.fullmatch(text):
            self.fail(f"{value!r} is no length of time; write 90s, 5m or 1h30m", param, ctx)
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


DURATION = Duration()
