"""Writing tags on instances: what many threads write at once goes in few calls."""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from collections.abc import Mapping

from raytui.backends.aws import tags
from raytui.backends.aws.described import batched, ec2_id
from raytui.backends.aws.session import AwsSession
from raytui.backends.base import ProviderError
from raytui.backends.tags import RAY_STARTED

_LATE_S = 60.0
"""How long EC2 may tell old tags."""
_GATHER_S = 0.5
"""How long the first one waits for others, so that many set-ups make no more than two calls a
second; they have taken minutes."""
_MOMENT_S = 10
"""To the end of how many seconds a moment is written: what differs cannot go in one call."""

_Pair = tuple[tuple[str, str], ...]


class Tagging:
    """Thread-safe. While one thread's call is under way, the others' words gather for the next."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._calling = threading.Lock()
        self._gathering = threading.Lock()
        self._next = _Round()
        self._written: dict[str, tuple[float, tags.Tags]] = {}

    def write(self, name: str, written: Mapping[str, str]) -> None:
        """Write tags on the instance with this id of ours, beside those it has.

        Returns when EC2 has them; raises ProviderError.
        """
        alike = {**written}
        if RAY_STARTED in alike:
            alike[RAY_STARTED] = _rounded(alike[RAY_STARTED])
        with self._gathering:
            mine = self._next
            mine.add(name, alike)
        with self._calling:
            if not mine.done:
                time.sleep(_GATHER_S)
                with self._gathering:
                    self._next = _Round()
                mine.go(self._session)
        if error := mine.failed.get(name):
            raise error
        now = time.monotonic()
        with self._gathering:
            fresh = {n: known for n, known in self._written.items() if known[0] > now - _LATE_S}
            before = fresh.get(name, (0.0, {}))[1]
            self._written = {**fresh, name: (now, {**before, **written})}

    def written(self, name: str) -> tags.Tags:
        """What was written on an instance in the last minute: EC2 may tell of it later."""
        with self._gathering:
            at, known = self._written.get(name, (0.0, {}))
        return dict(known) if at > time.monotonic() - _LATE_S else {}


def _rounded(moment: str) -> str:
    """Up, so that nothing that began before it seems to have begun after it; empty stays so."""
    return str(math.ceil(float(moment) / _MOMENT_S) * _MOMENT_S) if moment else ""


class _Round:
    """What is written together."""

    def __init__(self) -> None:
        self._words: dict[str, tags.Tags] = {}
        self.done = False
        self.failed: dict[str, ProviderError] = {}

    def add(self, name: str, written: Mapping[str, str]) -> None:
        self._words[name] = {**self._words.get(name, {}), **written}

    def go(self, session: AwsSession) -> None:
        """Each set of tags in one call for all instances that get it."""
        alike: defaultdict[_Pair, list[str]] = defaultdict(list)
        for name, words in self._words.items():
            alike[tuple(sorted(words.items()))].append(name)
        for pairs, names in alike.items():
            for some in batched(names):
                resources = [ec2_id(name) for name in some]
                try:
                    written = tags.written(dict(pairs))
                    session.call("ec2", "create_tags", Resources=resources, Tags=written)
                except ProviderError as error:
                    self.failed.update(dict.fromkeys(some, error))
        self.done = True
