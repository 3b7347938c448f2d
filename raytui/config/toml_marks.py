"""Where in a TOML file each key stands: Python's own reader says what is there but not where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from raytui.config.problems import KeyPath, Mark

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)$")


def mark_of_error(error: tomllib.TOMLDecodeError, text: str) -> tuple[str, Mark]:
    """What a file that is no TOML is refused for, and where."""
    words = str(error)
    found = _PLACE.search(words)
    if found is None:
        return words.removesuffix("(at end of document)").strip(), Mark(text.count("\n") + 1, 1)
    return words[: found.start()].strip(), Mark(int(found[1]), int(found[2]))


def key_marks(text: str) -> dict[KeyPath, Mark]:
    """The place of each key and table of a valid TOML document; what is inside a value has its.

    Lines are gathered until they make sense by themselves: that is one statement, whatever
    brackets and quotes it has.
    """
    marks: dict[KeyPath, Mark] = {}
    table: KeyPath = ()
    begun, start = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        start = start if begun else number
        begun += line + "\n"
        try:
            statement = tomllib.loads(begun)
        except tomllib.TOMLDecodeError:
            continue
        mark = Mark(start, len(begun) - len(begun.lstrip(" \t")) + 1)
        if begun.lstrip().startswith("["):
            table = _deepest(statement)
            _note((), statement, mark, marks)
        else:
            _note(table, statement, mark, marks)
        begun = ""
    return marks


def _deepest(statement: Mapping[str, Any]) -> KeyPath:
    """The path of a table's header, which has one key at each depth."""
    path: KeyPath = ()
    inner: Any = statement
    while isinstance(inner, dict | list) and inner:
        key, inner = (0, inner[0]) if isinstance(inner, list) else next(iter(inner.items()))
        path += (key,)
    return path


def _note(above: KeyPath, value: Any, mark: Mark, marks: dict[KeyPath, Mark]) -> None:
    keys: Iterable[str | int] = ()
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        marks.setdefault((*above, key), mark)
        _note((*above, key), value[key], mark, marks)
