"""A list of clusters that a test writes, and clusters behind it that can be opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from raytui.client.base import ClientError, ClusterClient
from raytui.model.fleet import Fleet, FleetRow, FleetState, ScaledBy
from raytui.model.resources import Resources
from tests.tui.driving import recorded

NOW = 1_700_000_000.0

ROWS = (
    FleetRow(
        "ml",
        "train",
        FleetState.READY,
        running=7,
        desired=10,
        total=Resources.of(CPU=56, GPU=6),
        demand=18,
        cost_per_hour=12.5,
        created_at=NOW - 7200,
        scaled_by=ScaledBy.OPERATOR,
        trouble="demo-gpu-x: FailedScheduling: 0/3 nodes are available: "
        "3 Insufficient nvidia.com/gpu",
    ),
    FleetRow(
        "ml",
        "notebooks",
        FleetState.SUSPENDED,
        created_at=NOW - 90_000,
        scaled_by=ScaledBy.NOBODY,
    ),
    FleetRow(
        "web",
        "serve",
        FleetState.READY,
        running=3,
        desired=3,
        total=Resources.of(CPU=12),
        demand=0,
        cost_per_hour=0.6,
        created_at=NOW - 300,
        scaled_by=ScaledBy.RAY,
    ),
)


def fleet(*rows: FleetRow, **fields: object) -> Fleet:
    """A picture that is whole; of the rows above by default."""
    picture = Fleet("prod", "", rows or ROWS, is_complete=True)
    return replace(picture, **fields)


class WrittenFleet:
    """A FleetClient whose pictures a test puts in."""

    def __init__(self, *pictures: Fleet) -> None:
        self.looked_at: list[tuple[str, str]] = []
        self.opened: list[str] = []
        self.clients: dict[str, ClusterClient] = {}
        self.closed = False
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.refusal = ""
        self._coming: asyncio.Queue[Fleet] = asyncio.Queue()
        for one in pictures or (fleet(),):
            self.put(one)

    def put(self, picture: Fleet) -> None:
        """Let another picture come."""
        self._coming.put_nowait(picture)

    async def pictures(self) -> AsyncIterator[Fleet]:
        while True:
            yield await self._coming.get()

    async def contexts(self) -> Sequence[str]:
        return ["dev", "prod"]

    async def namespaces(self) -> Sequence[str]:
        if self.refusal:
            raise ClientError(self.refusal)
        return ["default", "ml", "web"]

    async def look_at(self, context: str, namespace: str) -> None:
        self.looked_at.append((context, namespace))

    async def open(self, namespace: str, name: str) -> ClusterClient:
        await self.may_open.wait()
        if self.refusal:
            raise ClientError(self.refusal)
        self.opened.append(f"{namespace}/{name}")
        client = self.clients[f"{namespace}/{name}"] = recorded()
        return client

    async def close(self) -> None:
        self.closed = True
