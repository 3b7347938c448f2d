"""The filter language of lists: `word`, `!word`, `key=value`, `!key=value`, `~regex`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Fields = Mapping[str, str]
"""What a row can be found by: lower-case names to text."""
Test = Callable[[Fields], bool]


class FilterError(ValueError):
    """The filter cannot be read; `str()` says why."""


class Filter:
    """A filter as typed. All its words must match; case does not matter.

    `word` is in any field, `!word` in none; `key=value`: the field `key` contains value (a label
    `a.b/zone` is also found as `zone`); `~regex` takes the rest of the line as one expression.
    """

    def __init__(self, text: str) -> None:
        """Read `text`; raises FilterError when its regular expression is wrong."""
        self.text = text.strip()
        before, tilde, pattern = self.text.partition("~")
        if before and not before.endswith(" "):
            before, tilde = self.text, ""
        self._tests = [_test(word) for word in before.split()]
        if tilde:
            self._tests.append(_regex(pattern))

    def __bool__(self) -> bool:
        return bool(self._tests)

    def matches(self, fields: Fields) -> bool:
        """True when every word of the filter matches."""
        return all(test(fields) for test in self._tests)


def _test(word: str) -> Test:
    if word.startswith("!") and len(word) > 1:
        inner = _test(word[1:])
        return lambda fields: not inner(fields)
    key, equals, value = word.lower().partition("=")
    if equals and key:
        return lambda fields: any(
            value in text.lower()
            for name, text in fields.items()
            if name.lower() == key or name.lower().endswith("/" + key)
        )
    needle = word.lower()
    return lambda fields: any(needle in text.lower() for text in fields.values())


def _regex(pattern: str) -> Test:
    try:
        expression = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise FilterError(f"not a regular expression: {error}") from error
    return lambda fields: any(expression.search(text) for text in fields.values())
