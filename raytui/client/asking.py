"""Asking a provider from an asyncio loop: its calls take their time, and its errors are typed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from raytui.backends.base import ProviderError
from raytui.client.base import ClientError
from raytui.config.problems import ConfigErrors

T = TypeVar("T")


async def asked(question: Callable[[], T]) -> T:
    """The answer to a question that is put on a thread; raises ClientError."""
    try:
        return await apart(question)
    except (ProviderError, ConfigErrors) as error:
        raise ClientError(str(error)) from error


async def apart(question: Callable[[], T]) -> T:
    """The answer to a question that is put on a thread of its own.

    The thread is nobody's to wait for: one that gets no answer keeps no program from ending.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        if not answer.done():  # else nobody waits any more
            tell()

    def ask() -> None:
        tell: Callable[[], None]
        try:
            tell = partial(answer.set_result, question())
        except BaseException as error:  # told to who waits
            tell = partial(answer.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, tell)

    threading.Thread(target=ask, name="question", daemon=True).start()
    return await answer
