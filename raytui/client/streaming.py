"""Lines that a blocking source gives, read from an asyncio loop by a thread of their own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Protocol

from raytui.backends.base import ProviderError
from raytui.client.base import ClientError
from raytui.ray.base import RayError

_AHEAD = 8
"""Blocks of lines that may wait for their reader; then the source waits."""


class Source(Protocol):
    """What gives blocks of lines, and can be ended from another thread."""

    def __iter__(self) -> Iterator[Sequence[str]]:
        """Blocks until there are lines."""
        ...

    def close(self) -> None:
        """Make the iteration end."""
        ...


async def streamed(open_source: Callable[[], Source]) -> AsyncIterator[Sequence[str]]:
    """Blocks of lines from a source that is opened on a thread; raises ClientError.

    The thread is nobody's to wait for: it never keeps the program from ending.
    """
    loop = asyncio.get_running_loop()
    room = threading.Semaphore(_AHEAD)
    ended = threading.Event()
    blocks: asyncio.Queue[Sequence[str] | BaseException | None] = asyncio.Queue()
    opened: list[Source] = []

    def put(block: Sequence[str] | BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(blocks.put_nowait, block)

    def read() -> None:
        try:
            source = open_source()
            opened.append(source)
            if not ended.is_set():
                _pass_on(source, put, room, ended)
            source.close()
            put(None)
        except BaseException as error:  # told to who reads
            put(error)

    threading.Thread(target=read, name="lines", daemon=True).start()
    try:
        while (block := await blocks.get()) is not None:
            if isinstance(block, RayError | ProviderError):
                raise ClientError(str(block)) from block
            if isinstance(block, BaseException):
                raise block
            room.release()
            yield block
    finally:
        ended.set()
        room.release()
        for source in opened:
            await asyncio.to_thread(source.close)


def _pass_on(
    source: Iterable[Sequence[str]],
    put: Callable[[Sequence[str]], None],
    room: threading.Semaphore,
    ended: threading.Event,
) -> None:
    for block in source:
        room.acquire()
        if ended.is_set():
            return
        put(block)
