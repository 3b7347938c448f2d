"""Changes of a list of objects, as the API server tells them."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from raytui.backends.base import TransientError
from raytui.backends.kubernetes.answer_lines import AnswerLines
from raytui.backends.kubernetes.errors import answered


class Change(NamedTuple):
    """One event of a watch."""

    type: str
    """ADDED, MODIFIED, DELETED, or BOOKMARK: then only the resource version means something."""
    object: dict[str, Any]


class Watch:
    """Changes as they come, until the server or `close` ends it; closed by any thread.

    Iterating raises GoneError when the server does not know the version any more, and a
    TransientError when the connection is cut.
    """

    def __init__(self, lines: AnswerLines) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[Change]:
        for line in self._lines:
            if not line:
                continue
            change = _change_of(line)
            if change.type == "ERROR":
                code = int(change.object.get("code") or 500)
                raise answered(code, msgspec.json.encode(change.object), {}, "watch")
            yield change

    def close(self) -> None:
        """End it now."""
        self._lines.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.__exit__(kind, error, trace)


def _change_of(line: bytes) -> Change:
    try:
        told = msgspec.json.decode(line)
        return Change(str(told["type"]), dict(told["object"]))
    except (msgspec.DecodeError, TypeError, KeyError, ValueError) as error:
        raise TransientError(f"what came is no event of a watch: {error}") from error
