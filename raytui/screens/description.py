"""All that is known of a thing, as a text in sections, as YAML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from raytui.model import codec
from raytui.model.resources import Resources
from raytui.model.text import bytes_text, clock_text, duration_text
from raytui.screens.places import Places
from raytui.screens.subject import Subject

_LONG = 72
"""A text longer than this has a section of its own."""

_AMOUNTS = frozenset({"resources", "total", "available", "used"})
"""What says how much there is of which resource."""

Facts = list[tuple[str, str]]


def plain_data(data: Any) -> Any:
    """A Struct as JSON would have it: mappings, lists, texts and numbers."""
    # Not through UTF-8: what a dashboard tells may hold halves of characters.
    return json.loads(json.dumps(msgspec.to_builtins(data, enc_hook=codec.enc_hook)))


def yaml_text(data: Any) -> str:
    """The data as YAML."""
    text = yaml.safe_dump(plain_data(data), sort_keys=False, allow_unicode=True, width=100)
    return str(text).rstrip()


def json_text(data: Any) -> str:
    """The data as JSON."""
    return json.dumps(plain_data(data), indent=2, ensure_ascii=False)


def description(subject: Subject, places: Places, now: float) -> str:
    """What the page tells of the subject, then its facts; what is long stands by itself."""
    sections = [*subject.told, *_sections(subject.kind, plain_data(subject.data), places, now)]
    return "\n\n".join(f"{title.upper()}\n{_indented(text)}" for title, text in sections if text)


def _sections(title: str, data: Any, places: Places, now: float) -> Iterator[tuple[str, str]]:
    if not isinstance(data, Mapping):
        yield title, yaml_text(data)
        return
    facts: Facts = []
    apart: list[tuple[str, Any]] = []
    for key, value in data.items():
        if value in (None, "", [], {}) or (_is_moment(key) and value == 0):
            continue
        words = str(key).replace("_", " ")
        if _stands_apart(key, value):
            apart.append((words, value))
        else:
            facts.append((words, _fact(key, value, places, now)))
    yield title, _aligned(facts)
    for words, value in apart:
        if isinstance(value, Mapping):
            yield from _sections(words, value, places, now)
        else:
            yield words, value if isinstance(value, str) else yaml_text(value)


def _stands_apart(key: str, value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > _LONG or "\n" in value
    return isinstance(value, list) or (isinstance(value, Mapping) and key not in _AMOUNTS)


def _is_moment(key: str) -> bool:
    return key.endswith(("_at", "_since")) or key == "at"


def _fact(key: str, value: Any, places: Places, now: float) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "node_id" and isinstance(value, str) and places.member_id(value):
        return f"{places.member_id(value)}  {value}"
    if key in _AMOUNTS and isinstance(value, Mapping):
        return _resources(value)
    if is_number and _is_moment(key):
        return f"{clock_text(value)}, {duration_text(now - value)} ago"
    if is_number and key.endswith("_bytes"):
        return bytes_text(value) if value >= 0 else "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _resources(amounts: Mapping[str, Any]) -> str:
    numbers = {name: value for name, value in amounts.items() if isinstance(value, int | float)}
    return Resources.of(numbers).text()


def _aligned(facts: Facts) -> str:
    width = min(24, max((len(name) for name, _ in facts), default=0))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
