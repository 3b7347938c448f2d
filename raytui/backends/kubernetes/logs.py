"""What containers of a pod have printed, and print."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.answer_lines import AnswerLines
from raytui.backends.kubernetes.closing import Closing
from raytui.backends.kubernetes.session import KubeSession

_SILENCE_S = 30.0
_WAITING = 1000
"""Lines that wait to be read; who has more to tell waits, too."""


class LogLine(NamedTuple):
    """A line and the container that has printed it."""

    container: str
    text: str


def container_log(
    session: KubeSession,
    namespace: str,
    pod: str,
    container: str = "",
    *,
    follow: bool = False,
    previous: bool = False,
    tail: int | None = None,
    since_s: int | None = None,
) -> AnswerLines:
    """The lines of one container, by default the pod's only one.

    `follow` goes on with those that come until it has ended; `previous` means the container before
    it was restarted; `tail` the last lines only, `since_s` those of the last seconds.

    Raises NotRunningError for one that has not begun yet, and typed errors for what is not there.
    """
    wanted: dict[str, str | int] = {}
    if container:
        wanted["container"] = container
    if follow:
        wanted["follow"] = "true"
    if previous:
        wanted["previous"] = "true"
    if tail is not None:
        wanted["tailLines"] = tail
    if since_s is not None:
        wanted["sinceSeconds"] = since_s
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
    return session.lines(path, silence_s=None if follow else _SILENCE_S, **wanted)


class PodLog(Closing):
    """The lines of several containers of a pod as they come; read by one thread, closed by any.

    The order is that within each container. Iterating ends with the last of them, and raises the
    first error that comes.
    """

    def __init__(
        self,
        session: KubeSession,
        namespace: str,
        pod: str,
        containers: Sequence[str],
        *,
        follow: bool = True,
        tail: int | None = None,
        since_s: int | None = None,
    ) -> None:
        """Ask for all at once; raises as `container_log` does."""
        self._lines: queue.Queue[LogLine | ProviderError | None] = queue.Queue(_WAITING)
        self._is_closed = threading.Event()
        self._open: dict[str, AnswerLines] = {}
        try:
            for name in containers:
                self._open[name] = container_log(
                    session, namespace, pod, name, follow=follow, tail=tail, since_s=since_s
                )
        except ProviderError:
            self.close()
            raise
        for name, lines in self._open.items():
            threading.Thread(target=self._read, args=(name, lines), daemon=True).start()

    def __iter__(self) -> Iterator[LogLine]:
        left = len(self._open)
        while left and not self._is_closed.is_set():
            said = self._lines.get()
            if said is None:
                left -= 1
            elif isinstance(said, ProviderError):
                raise said
            else:
                yield said

    def close(self) -> None:
        """End it now."""
        self._is_closed.set()
        for lines in self._open.values():
            lines.close()
        self._wake()

    def _read(self, name: str, lines: AnswerLines) -> None:
        try:
            for line in lines:
                self._put(LogLine(name, line.decode(errors="replace")))
        except ProviderError as error:
            self._put(error)
        self._put(None)

    def _put(self, said: LogLine | ProviderError | None) -> None:
        while not self._is_closed.is_set():
            try:
                self._lines.put(said, timeout=0.5)
            except queue.Full:
                continue
            return

    def _wake(self) -> None:
        """Let who waits for a line look up."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
