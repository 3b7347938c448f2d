"""What a scalar means in YAML 1.1: PyYAML's own reading, because Ray reads files with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from raytui.config.problems import quoted
from raytui.config.yaml_tree import ScalarKind

TAG = "tag:yaml.org,2002:"
TAG_HINT = "cluster files are plain YAML: leave tags out"
_QUOTE_HINT = "to mean the text, quote it"
_LONGEST_NUMBER = 400  # a longer word is text: no number that anybody means


class NotThatKind(Exception):  # noqa: N818 - a finding, told as a problem
    """A scalar is not what its tag says, or means something that cluster files have no use for."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


_RESOLVER = yaml.resolver.Resolver()
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_MEANINGS = {
    TAG + "null": (ScalarKind.NULL, _CONSTRUCTOR.construct_yaml_null),
    TAG + "bool": (ScalarKind.FLAG, _CONSTRUCTOR.construct_yaml_bool),
    TAG + "int": (ScalarKind.WHOLE, _CONSTRUCTOR.construct_yaml_int),
    TAG + "timestamp": (ScalarKind.DATE, _CONSTRUCTOR.construct_yaml_timestamp),
    TAG + "float": (ScalarKind.NUMBER, _CONSTRUCTOR.construct_yaml_float),
}


def tag_of(event: yaml.ScalarEvent) -> str:
    """The tag that was written, or the one that YAML 1.1 reads into the text."""
    if event.tag is not None and event.tag != "!":
        return str(event.tag)
    if not event.implicit[0] or len(event.value) > _LONGEST_NUMBER:
        return TAG + "str"
    resolve: Callable[..., str] = _RESOLVER.resolve
    return resolve(yaml.ScalarNode, event.value, event.implicit)


def is_merge_key(event: yaml.ScalarEvent) -> bool:
    """True for a plain `<<`."""
    return event.value == "<<" and tag_of(event) == TAG + "merge"


def meaning_of(event: yaml.ScalarEvent) -> tuple[ScalarKind, Any]:
    """What a scalar is, and its value; raises NotThatKind when it is not what its tag says."""
    tag = tag_of(event)
    if any("\ud800" <= c <= "\udfff" for c in event.value):
        raise NotThatKind("has an escape that is not a Unicode character")
    if tag in (TAG + "str", TAG + "merge"):
        return ScalarKind.TEXT, event.value
    if tag == TAG + "value":
        raise NotThatKind("has a meaning of its own in YAML 1.1", 'quote it: "="')
    if tag not in _MEANINGS:
        raise NotThatKind(f"has the tag {quoted(tag)}", TAG_HINT)
    kind, construct = _MEANINGS[tag]
    if len(event.value) > _LONGEST_NUMBER:
        raise NotThatKind(f"is longer than any number: {quoted(event.value)}")
    try:
        value = construct(yaml.ScalarNode(tag, event.value))
    except (ValueError, KeyError, IndexError, OverflowError, AttributeError):
        raise NotThatKind(f"is not {kind.value}: {quoted(event.value)}", _QUOTE_HINT) from None
    return kind, event.value if kind is ScalarKind.DATE else value
