"""Protobuf messages as protobuf writes them in JSON, read without protobuf: kinds of fields.

Both spellings of a field are read (`node_states`, `nodeStates`), whole numbers also as text, enums
by name or number, null as "not set" (https://protobuf.dev/programming-guides/json). Messages come
out with the attributes that protobuf's own classes have, so one translation serves both forms.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from raytui.config.problems import KeyPath, quoted
from raytui.model.resources import UNITS_PER_ONE

MOST_WHOLE = 2**63 - 1
MOST_COUNT = 10**12
MOST_ITEMS = 100_000
"""Longest list; Ray sends one entry for each shape of demand, so real ones are far shorter."""
MOST_WRONG = 10
"""How many wrong values of a file are told at once; reading ends there."""
MOST_AMOUNT = MOST_WHOLE / UNITS_PER_ONE
"""Ray counts in units of 1/10,000 in 64 bits (`src/ray/common/scheduling/fixed_point.h`)."""

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_WHOLE = re.compile(r"[+-]?\d{1,30}")


class WrongValueError(Exception):
    """A value is not what its field allows; `path` leads to it from where reading began."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: KeyPath = ()
        self.others: list[WrongValueError] = []
        """More wrong values that were found, each without others."""

    @property
    def all(self) -> list[WrongValueError]:
        """Every wrong value that was found, in the order of the file."""
        return [self, *self.others]

    def within(self, part: str | int) -> WrongValueError:
        """The same, seen from one level up."""
        for wrong in self.all:
            wrong.path = (part, *wrong.path)
        return self


class _Reading:
    """Reads the parts of one value; what is wrong with them is told when all are read."""

    def __init__(self, unknown: set[str]) -> None:
        self._unknown = unknown
        self._wrong: list[WrongValueError] = []

    def part(self, name: str | int, kind: Kind, value: Any) -> Any:
        """One part's value; None when it is wrong."""
        try:
            return kind.of(value, self._unknown)
        except WrongValueError as wrong:
            self.refuse(name, wrong)
            return None

    def refuse(self, name: str | int, wrong: WrongValueError) -> None:
        """Note what is wrong with a part; enough of it ends the reading."""
        self._wrong += wrong.within(name).all
        if len(self._wrong) >= MOST_WRONG:
            self.end()

    def end(self) -> None:
        """Raise what was wrong, if anything was."""
        if self._wrong:
            first, *others = self._wrong[:MOST_WRONG]
            first.others = others
            raise first from None


@dataclass(frozen=True)
class Kind:
    """What a field may hold."""

    read: Callable[[Any, set[str]], Any]
    """The value of a field; adds keys that mean nothing to the set. Raises WrongValueError."""
    unset: Callable[[], Any]
    """The value of a field that is not there."""

    def of(self, value: Any, unknown: set[str]) -> Any:
        """The value of a field that is there; null stands for one that is not."""
        return self.unset() if value is None else self.read(value, unknown)


class Message(SimpleNamespace):
    """A message's fields as attributes, the unset ones too."""

    def HasField(self, name: str) -> bool:  # noqa: N802 - protobuf's own name
        """Whether the field was set."""
        return name in self.given


def message(**fields: Kind) -> Kind:
    """An object with these fields, named as in the .proto file."""
    spellings = {spelling: name for name in fields for spelling in (name, _camel(name))}

    def read(value: Any, unknown: set[str]) -> Message:
        found: dict[str, Any] = {}
        reading = _Reading(unknown)
        for key, given in _object(value).items():
            name = spellings.get(key)
            if name is None:
                unknown.add(key)
            elif name in found:
                twice = WrongValueError(f"{name} stands here twice, in both spellings")
                reading.refuse(key, twice)
            elif given is not None:
                found[name] = reading.part(key, fields[name], given)
        reading.end()
        given_names = frozenset(found)
        for name, kind in fields.items():
            if name not in found:
                found[name] = kind.unset()
        return Message(given=given_names, **found)

    return Kind(read, lambda: read({}, set()))


def many(kind: Kind) -> Kind:
    """A list."""

    def read(value: Any, unknown: set[str]) -> list[Any]:
        if not isinstance(value, list):
            raise WrongValueError(f"expected a list, got {said(value)}")
        if len(value) > MOST_ITEMS:
            raise WrongValueError(f"has {len(value):,} entries, at most {MOST_ITEMS:,} are read")
        reading = _Reading(unknown)
        items = [reading.part(index, kind, item) for index, item in enumerate(value)]
        reading.end()
        return items

    return Kind(read, list)


def mapping(kind: Kind) -> Kind:
    """An object from any names to values of one kind."""

    def read(value: Any, unknown: set[str]) -> dict[str, Any]:
        reading = _Reading(unknown)
        values = {name: reading.part(name, kind, item) for name, item in _object(value).items()}
        reading.end()
        return values

    return Kind(read, dict)


def choice(numbers: Mapping[str, int]) -> Kind:
    """An enum by name or number; a number that is new to us is kept, as protobuf keeps it."""

    def read(value: Any, _unknown: set[str]) -> int:
        if isinstance(value, str) and value in numbers:
            return numbers[value]
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise WrongValueError(f"expected one of {', '.join(numbers)}, got {said(value)}")

    return Kind(read, int)


def _text(value: Any, _unknown: set[str]) -> str:
    if not isinstance(value, str):
        raise WrongValueError(f"expected text, got {said(value)}")
    return value


def _flag(value: Any, _unknown: set[str]) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError(f"expected true or false, got {said(value)}")
    return value


def _whole(value: Any, most: int) -> int:
    whole_text = isinstance(value, str) and _WHOLE.fullmatch(value)
    whole_float = isinstance(value, float) and value.is_integer()
    number = int(value) if whole_text or whole_float else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise WrongValueError(f"expected a whole number, got {said(value)}")
    if not 0 <= number <= most:
        bound = "at least 0" if number < 0 else f"at most {most:,}"
        raise WrongValueError(f"expected {bound}, got {said(value)}")
    return number


def _number(value: Any) -> float:
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise WrongValueError(f"expected a number, got {said(value)}") from None
    if not math.isfinite(number):
        raise WrongValueError(f"expected a finite number, got {said(value)}")
    return number


def _amount(value: Any, _unknown: set[str]) -> float:
    number = _number(value)
    if not 0 <= number <= MOST_AMOUNT:
        bound = "at least 0" if number < 0 else f"at most {MOST_AMOUNT:.3g}, all that Ray can count"
        raise WrongValueError(f"expected {bound}, got {said(value)}")
    return number


def _amount_left(value: Any, unknown: set[str]) -> float:
    return _amount(max(0.0, _number(value)), unknown)


def _node_id(value: Any, _unknown: set[str]) -> bytes:
    """Bytes: people and Ray's tools write hex, protobuf's JSON has base64.

    All of Ray's own ids have 28 bytes, whose base64 ends in `==` and so is never taken for hex.
    """
    if isinstance(value, str):
        if not value or _HEX.fullmatch(value):
            return bytes.fromhex(value)
        standard = value.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise WrongValueError(f"expected an id in hex or base64, got {said(value)}")


TEXT = Kind(_text, str)
FLAG = Kind(_flag, bool)
WHOLE = Kind(lambda value, _: _whole(value, MOST_WHOLE), int)
"""A 64-bit duration or version: at least 0."""
COUNT = Kind(lambda value, _: _whole(value, MOST_COUNT), int)
"""How many: at least 0."""
AMOUNT = Kind(_amount, float)
"""An amount of a resource, of money or of time: finite and at least 0."""
AMOUNT_LEFT = Kind(_amount_left, float)
"""What is available of a resource. Ray lets it fall below 0 for a moment when a blocked task gets
its CPU back; that is none."""
NODE_ID = Kind(_node_id, bytes)


def said(value: Any) -> str:
    """A value for an error message: short, and safe to print."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int) and abs(value) > 10**30:
        return "a number with more than 30 digits"
    return str(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongValueError(f"expected an object, got {said(value)}")
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
