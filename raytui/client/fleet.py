"""The door between a terminal and many clusters: pictures of the list come, one can be opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from raytui.client.base import ClusterClient
from raytui.model.fleet import Fleet


class FleetClient(Protocol):
    """All clusters of one place as seen from a terminal. All methods are for one asyncio loop."""

    def pictures(self) -> AsyncIterator[Fleet]:
        """The list as it is, anew whenever it changed but a few times a second at most.

        Goes on until `close`, also where nothing can be seen: then `Fleet.troubles` says why.
        """
        ...

    async def contexts(self) -> Sequence[str]:
        """The contexts that can be looked at; raises ClientError."""
        ...

    async def namespaces(self) -> Sequence[str]:
        """The namespaces of this context; raises ClientError (who may not list them, may not)."""
        ...

    async def look_at(self, context: str, namespace: str) -> None:
        """Show another place from now on; an empty namespace means all."""
        ...

    async def open(self, namespace: str, name: str) -> ClusterClient:
        """A client of one of the clusters, which connects by itself; raises ClientError."""
        ...

    async def close(self) -> None:
        """End watching."""
        ...
