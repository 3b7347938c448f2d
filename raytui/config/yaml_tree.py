"""YAML as a tree that knows its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from raytui.config.problems import KeyPath, Mark, quoted


class ScalarKind(StrEnum):
    """What a scalar means in YAML 1.1; the value is how people are told."""

    NULL = "nothing (null)"
    FLAG = "a yes/no value"
    WHOLE = "a whole number"
    NUMBER = "a number"
    DATE = "a date"
    TEXT = "text"


@dataclass(slots=True)
class Scalar:
    """A single value: what was written, and what it means."""

    mark: Mark
    text: str
    kind: ScalarKind
    value: Any
    """None, bool, int, float or str; a date stays as it was written."""
    size: int = 1
    height: int = 0

    def described(self) -> str:
        """For `expected …, got …`."""
        if self.kind is ScalarKind.NULL:
            return self.kind.value
        return f"{self.kind.value}, {quoted(self.text)}"


@dataclass(slots=True)
class Sequence:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1

    def described(self) -> str:
        """For `expected …, got …`."""
        return "a list"


@dataclass(slots=True)
class Mapping:
    """Keys and values in the order of the file; merge keys (`<<`) have been resolved."""

    mark: Mark
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    size: int = 1
    height: int = 1

    def described(self) -> str:
        """For `expected …, got …`."""
        return "a mapping"


Node = Scalar | Sequence | Mapping


def locate(root: Node, path: KeyPath) -> Mark:
    """Where a key path is, or the nearest thing above it that exists."""
    node, mark = root, root.mark
    for part in path:
        if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
            key, node = node.entries[part]
            mark = key.mark
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            mark = node.mark
        else:
            break
    return mark
