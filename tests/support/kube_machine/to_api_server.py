"""The way from pods to the API server, which itself listens on loopback only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

NAME = "kubernetes.default.svc"
"""What pods know it by; the server's own certificate has this name."""
_BLOCK = 1 << 16


@contextmanager
def to_api_server(gateway: str, server: str) -> Iterator[None]:
    """Port 443 of the gateway leads to the server as long as the context lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="to api server", daemon=True)
    thread.start()
    port = urlsplit(server).port

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            back, there = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pump(reader, there), _pump(back, writer))

    async def start() -> asyncio.Server:
        return await asyncio.start_server(joined, gateway, 443)

    listening = asyncio.run_coroutine_threadsafe(start(), loop).result(timeout=10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    writer.close()
