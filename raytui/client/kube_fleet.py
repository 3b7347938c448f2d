"""The RayClusters of a Kubernetes context for a terminal: pictures of the list, and one opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from raytui.backends.base import ProviderError
from raytui.backends.kubernetes.access import Access, contexts
from raytui.backends.kubernetes.fleet_watch import FleetWatch
from raytui.backends.kubernetes.named import access_to, live
from raytui.backends.kubernetes.session import KubeSession
from raytui.client.asking import asked
from raytui.client.base import ClusterClient
from raytui.client.kubernetes import KubernetesClient
from raytui.model.fleet import Fleet

_PAUSE_S = 0.25
"""Between two pictures: what changes meanwhile is in the next one."""
_AGAIN_S = 10.0
"""Until a place that cannot be opened is tried again: a kubeconfig may be mended."""


class KubeFleetClient:
    """See FleetClient."""

    def __init__(self, context: str = "", namespace: str = "", *, read_only: bool = False) -> None:
        """An empty context is kubectl's; an empty namespace means all of them."""
        self._place = (context, namespace)
        self._read_only = read_only
        self._news = asyncio.Event()
        self._moved = False
        self._closed = False
        self._watch: FleetWatch | None = None

    async def pictures(self) -> AsyncIterator[Fleet]:
        """See FleetClient."""
        while not self._closed:
            self._moved = False
            async for fleet in self._pictures_here():
                yield fleet
                if self._moved or self._closed:
                    break

    async def contexts(self) -> Sequence[str]:
        """See FleetClient."""
        return [one.name for one in await asked(contexts)]

    async def namespaces(self) -> Sequence[str]:
        """See FleetClient."""

        def names() -> list[str]:
            session = KubeSession(Access(context=self._place[0]))
            return [one["metadata"]["name"] for one in session.items("/api/v1/namespaces")]

        return await asked(names)

    async def look_at(self, context: str, namespace: str) -> None:
        """See FleetClient."""
        self._place = (context, namespace)
        self._moved = True
        self._news.set()

    async def open(self, namespace: str, name: str) -> ClusterClient:
        """See FleetClient."""

        def read() -> KubernetesClient:
            access = access_to(self._place[0], namespace)
            spec = live(KubeSession(access), name, access)
            return KubernetesClient(spec, read_only=self._read_only)

        return await asked(read)

    async def close(self) -> None:
        """See FleetClient."""
        self._closed = True
        self._news.set()
        await self._leave()

    async def _pictures_here(self) -> AsyncIterator[Fleet]:
        """Of the place that is looked at now; ends when another one is."""
        context, namespace = self._place
        loop = asyncio.get_running_loop()

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._news.set)

        try:
            try:
                access = await asyncio.to_thread(access_to, context, namespace or "default")
                watch = FleetWatch(replace(access, namespace=namespace), wake)
            except ProviderError as error:
                yield Fleet(context, namespace, is_complete=True, troubles=(str(error),))
                await self._wait(_AGAIN_S)
                return
            self._watch = watch
            await asyncio.to_thread(watch.start)
            while not self._moved and not self._closed:
                self._news.clear()
                yield await asyncio.to_thread(watch.fleet)
                await asyncio.sleep(_PAUSE_S)
                await self._news.wait()
        finally:
            await self._leave()

    async def _wait(self, seconds: float) -> None:
        self._news.clear()
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    async def _leave(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            await asyncio.to_thread(watch.close)
