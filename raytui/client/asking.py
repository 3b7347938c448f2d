"""Asking a provider from an asyncio loop: its calls take their time, and its errors are typed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from raytui.backends.base import ProviderError
from raytui.client.base import ClientError
from raytui.config.problems import ConfigErrors

T = TypeVar("T")


async def asked(question: Callable[[], T]) -> T:
    """The answer to a question that is put on a thread; raises ClientError."""
    try:
        return await asyncio.to_thread(question)
    except (ProviderError, ConfigErrors) as error:
        raise ClientError(str(error)) from error
