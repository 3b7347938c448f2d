"""The kinds of values a cluster file can hold: what each allows, in words and as a check."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from raytui.config.problems import KeyPath, Problems, nearest, quoted
from raytui.config.yaml_tree import Mapping, Node, Scalar, ScalarKind, Sequence


class Invalid:
    """The value of something that was refused; a problem has been noted for it."""


INVALID: Final = Invalid()


class Kind(Protocol):
    """What a value must be."""

    @property
    def words(self) -> str:
        """What is allowed, to stand after `expected` and in the docs."""
        ...

    def read(self, node: Node, path: KeyPath, problems: Problems) -> Any:
        """The plain value of a node, or INVALID with a problem noted."""
        ...


@dataclass(frozen=True)
class Text:
    """A string; with a pattern, the whole of it must match."""

    pattern: re.Pattern[str] | None = None
    words: str = "text"

    def read(self, node: Node, path: KeyPath, problems: Problems) -> str | Invalid:
        """The string as it is meant."""
        if not isinstance(node, Scalar) or node.kind is not ScalarKind.TEXT:
            return _refuse(self, node, path, problems, _quote_hint(node))
        text: str = node.value
        if self.pattern and not self.pattern.fullmatch(text):
            problems.add(path, f"expected {self.words}, got {quoted(text)}")
            return INVALID
        return text


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    @property
    def words(self) -> str:
        """The options."""
        return "one of " + ", ".join(self.options)

    def read(self, node: Node, path: KeyPath, problems: Problems) -> str | Invalid:
        """The chosen word."""
        if not isinstance(node, Scalar) or node.kind is not ScalarKind.TEXT:
            return _refuse(self, node, path, problems)
        if node.value not in self.options:
            problems.add(
                path, f"{quoted(node.value)} is not known", nearest(node.value, self.options)
            )
            return INVALID
        return str(node.value)


@dataclass(frozen=True)
class Flag:
    """true or false."""

    words: str = "true or false"

    def read(self, node: Node, path: KeyPath, problems: Problems) -> bool | Invalid:
        """The flag."""
        if isinstance(node, Scalar) and node.kind is ScalarKind.FLAG:
            return bool(node.value)
        lowered = node.text.lower() if isinstance(node, Scalar) else ""
        hint = f"write {lowered} without quotes" if lowered in ("true", "false") else ""
        return _refuse(self, node, path, problems, hint)


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds; true and false are not numbers here."""

    least: int = 0
    most: int = 2**31 - 1
    unit: str = ""

    @property
    def words(self) -> str:
        """The bounds."""
        return _bounds("a whole number", self.unit, self.least, self.most)

    def read(self, node: Node, path: KeyPath, problems: Problems) -> int | Invalid:
        """The number."""
        if not isinstance(node, Scalar) or node.kind is not ScalarKind.WHOLE:
            return _refuse(self, node, path, problems, _number_hint(node))
        if not self.least <= node.value <= self.most:
            return _out_of_bounds(self, node, path, problems)
        return int(node.value)


@dataclass(frozen=True)
class Number:
    """A finite number within bounds, with or without a fraction."""

    least: float = 0
    most: float = 1e9
    unit: str = ""

    @property
    def words(self) -> str:
        """The bounds."""
        return _bounds("a number", self.unit, self.least, self.most)

    def read(self, node: Node, path: KeyPath, problems: Problems) -> float | Invalid:
        """The number."""
        kinds = (ScalarKind.WHOLE, ScalarKind.NUMBER)
        if not isinstance(node, Scalar) or node.kind not in kinds:
            return _refuse(self, node, path, problems, _number_hint(node))
        if not self.least <= node.value <= self.most:  # so nan is refused, too
            return _out_of_bounds(self, node, path, problems)
        return float(node.value)


@dataclass(frozen=True)
class CountOrShare:
    """A whole number, or a percentage as text."""

    words: str = "a whole number, or a percentage from 0% to 100%"

    def read(self, node: Node, path: KeyPath, problems: Problems) -> int | str | Invalid:
        """The number, or the text of the percentage."""
        if isinstance(node, Scalar) and node.kind is ScalarKind.TEXT:
            if _PERCENTAGE.fullmatch(node.value):
                return str(node.value)
            problems.add(path, f"expected {self.words}, got {quoted(node.value)}")
            return INVALID
        if not isinstance(node, Scalar) or node.kind is not ScalarKind.WHOLE:
            return _refuse(self, node, path, problems)
        if node.value < 0:
            problems.add(path, f"expected {self.words}, got {node.text}")
            return INVALID
        return int(node.value)


_PERCENTAGE = re.compile(r"(100|[0-9]{1,2})%")


@dataclass(frozen=True)
class Nullable:
    """Another kind, or nothing."""

    kind: Kind

    @property
    def words(self) -> str:
        """The other kind's words."""
        return f"{self.kind.words}, or null"

    def read(self, node: Node, path: KeyPath, problems: Problems) -> Any:
        """The value or None."""
        if isinstance(node, Scalar) and node.kind is ScalarKind.NULL:
            return None
        return self.kind.read(node, path, problems)


@dataclass(frozen=True)
class Empty:
    """Nothing: a key of old that Ray still accepts as long as it says nothing."""

    instead: str
    words: str = "nothing"

    def read(self, node: Node, path: KeyPath, problems: Problems) -> Any:
        """None."""
        if node.size == 1 and (not isinstance(node, Scalar) or not node.value):
            return None
        problems.add(path, "is no longer supported by Ray", self.instead)
        return INVALID


@dataclass(frozen=True)
class Anything:
    """Whatever the user or a cloud understands, as plain JSON values.

    What JSON has no word for (dates, infinity, huge numbers) is kept as the text that was written.
    """

    words: str = "anything"

    def read(self, node: Node, path: KeyPath, problems: Problems) -> Any:
        """The plain value."""
        if isinstance(node, Mapping):
            return {
                name: self.read(value, (*path, name), problems)
                for name, (_, value) in node.entries.items()
            }
        if isinstance(node, Sequence):
            return [self.read(item, (*path, i), problems) for i, item in enumerate(node.items)]
        return _json_value(node)


@dataclass(frozen=True)
class ListOf:
    """A list of one kind."""

    item: Kind
    words: str = "a list"
    hint: str = ""
    least: int = 0
    """How many items there must be."""

    def read(self, node: Node, path: KeyPath, problems: Problems) -> list[Any] | Invalid:
        """The items that are valid."""
        if not isinstance(node, Sequence):
            return _refuse(self, node, path, problems, self.hint)
        if len(node.items) < self.least:
            problems.add(
                path, f"expected {self.words}, {self.least} or more, got {len(node.items)}"
            )
            return INVALID
        values = [self.item.read(item, (*path, i), problems) for i, item in enumerate(node.items)]
        return [value for value in values if value is not INVALID]


NameCheck = Callable[[str], str]
"""Says what is wrong with a name; empty when nothing is."""


@dataclass(frozen=True)
class MapOf:
    """A mapping with names of the user's choice, all values of one kind."""

    value: Kind
    words: str
    wrong_name: NameCheck = lambda name: ""

    def read(self, node: Node, path: KeyPath, problems: Problems) -> dict[str, Any] | Invalid:
        """The entries that are valid."""
        if not isinstance(node, Mapping):
            return _refuse(self, node, path, problems)
        values = {}
        for name, (key, child) in node.entries.items():
            here = (*path, name)
            if key.kind is not ScalarKind.TEXT:
                problems.add(
                    here, f"a name must be text, this is {key.described()}", _quote_hint(key)
                )
            elif wrong := self.wrong_name(name):
                problems.add(here, wrong)
            value = self.value.read(child, here, problems)
            if value is not INVALID:
                values[name] = value
        return values


@dataclass(frozen=True)
class Key:
    """A key of a table: what it holds, what it means, and what stands for it when left out."""

    name: str
    kind: Kind
    doc: str
    default: str = ""
    """As the docs show it; the value itself is filled in by `fill`, which knows the provider."""
    required: bool = False


@dataclass(frozen=True)
class Table:
    """A mapping with known keys; when open, others are the user's or the cloud's business."""

    keys: tuple[Key, ...] = ()
    words: str = "a mapping"
    others: bool = False
    by_name: dict[str, Key] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {key.name: key for key in self.keys})

    def read(self, node: Node, path: KeyPath, problems: Problems) -> dict[str, Any] | Invalid:
        """The entries that are valid; a key that was refused is left out."""
        if not isinstance(node, Mapping):
            return _refuse(self, node, path, problems)
        values = {}
        for name, (_, child) in node.entries.items():
            here = (*path, name)
            key = self.by_name.get(name)
            if key is None and not self.others:
                problems.unknown_key(here, self.by_name)
                continue
            value = (key.kind if key else _ANYTHING).read(child, here, problems)
            if value is not INVALID:
                values[name] = value
        for key in self.keys:
            if key.required and key.name not in node.entries:
                problems.add((*path, key.name), f"is required: {key.kind.words}")
        return values


_ANYTHING = Anything()


def _refuse(kind: Kind, node: Node, path: KeyPath, problems: Problems, hint: str = "") -> Invalid:
    problems.add(path, f"expected {kind.words}, got {node.described()}", hint)
    return INVALID


def _json_value(node: Scalar) -> Any:
    if node.kind is ScalarKind.NUMBER and not math.isfinite(node.value):
        return node.text
    if node.kind is ScalarKind.WHOLE and not -(2**63) <= node.value < 2**63:
        return node.text
    return node.value


def _bounds(noun: str, unit: str, least: float, most: float) -> str:
    of = f" of {unit}" if unit else ""
    if least >= 0 and most >= 2**31 - 1 and not unit:
        return f"{noun}, {least:,} or more"
    return f"{noun}{of} from {least:,.0f} to {most:,.0f}"


def _out_of_bounds(
    kind: Whole | Number, node: Scalar, path: KeyPath, problems: Problems
) -> Invalid:
    number = node.text if len(node.text) <= 30 else quoted(node.text)
    hint = f"at most {kind.most:,.0f}" if node.value > kind.most else ""
    problems.add(path, f"expected {kind.words}, got {number}", hint)
    return INVALID


def _quote_hint(node: Node) -> str:
    if isinstance(node, Scalar) and node.kind is not ScalarKind.NULL and len(node.text) <= 60:
        return f"to mean the text, quote it: {quoted(node.text)}"
    return ""


def _number_hint(node: Node) -> str:
    """`1e3` and `"4"` are text in YAML 1.1; say how to write the number."""
    if isinstance(node, Scalar) and node.kind is ScalarKind.TEXT and len(node.text) <= 30:
        try:
            number = float(node.text)
        except ValueError:
            return ""
        if math.isfinite(number):
            plain = int(number) if number.is_integer() and abs(number) < 2**53 else number
            return f"write {plain} without quotes"
    return ""
