"""An answer that goes on for a time, line by line, and that another thread may end."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from raytui.backends.kubernetes.errors import unanswered

_CHUNK = 1 << 16


class AnswerLines:
    """Lines without their ends, as they come; read by one thread, closed by any.

    Iterating raises TransientError when the connection is cut; after `close` it just ends.
    """

    def __init__(self, reply: Any, server: str, *, longest: int = sys.maxsize) -> None:
        """`reply` is an answer of urllib3 whose body is not read yet.

        Lines of more than about `longest` bytes come in parts.
        """
        self._reply = reply
        self._server = server
        self._longest = longest
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_done = False

    def __iter__(self) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        rest: list[bytes] = []
        length = 0
        try:
            for part in self._reply.stream(_CHUNK, decode_content=True):
                if self._is_closed:
                    return  # what comes now is no longer deciphered
                head, *lines = part.split(b"\n")
                rest.append(head)
                for line in lines:
                    yield b"".join(rest)
                    rest = [line]
                length = len(rest[0]) if lines else length + len(head)
                if length >= self._longest:
                    yield b"".join(rest)
                    rest, length = [], 0
        except (HTTPError, OSError, ValueError, AttributeError) as error:
            # The last two: a TLS socket that is shut down while it is read.
            if not self._is_closed:
                raise unanswered(error, self._server) from error
        else:
            if rest and any(rest) and not self._is_closed:
                yield b"".join(rest)
        finally:
            self._done()

    def close(self) -> None:
        """End it now: who waits for the next line gets none."""
        with self._lock:
            self._is_closed = True
            if not self._is_done:
                # RuntimeError and ValueError: it has ended by itself meanwhile.
                with contextlib.suppress(OSError, RuntimeError, ValueError):
                    self._reply.shutdown()

    def __enter__(self) -> AnswerLines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        self._done()

    def _done(self) -> None:
        with self._lock:
            self._is_done = True
            self._reply.close()
