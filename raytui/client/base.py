"""The door between a terminal and a cluster: snapshots come, commands go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from raytui.model.command import Ack, Command, Impact
from raytui.model.happening import Happening
from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step

if TYPE_CHECKING:
    from raytui.client.work import Work


class Link(StrEnum):
    """State of the connection."""

    CONNECTING = "connecting"
    LIVE = "live"
    LOST = "lost"
    CLOSED = "closed"
    """It will not come back by itself: the cluster is down."""


class LinkState(Struct, frozen=True, omit_defaults=True):
    """How the connection stands; `attempt` counts tries since it was lost."""

    link: Link
    attempt: int = 0
    error: str = ""


class ReadOnlyError(Exception):
    """A command was refused because this client is read-only."""


class ClientError(Exception):
    """A question could not be answered; `str()` is one sentence for people."""


class ClusterClient(Protocol):
    """A cluster as seen from a terminal. All methods are for one asyncio loop."""

    read_only: bool
    """Set by the person, who may change it at any time; `send` and `work` obey."""

    @property
    def work(self) -> Work:
        """The work on the cluster, asked of Ray itself."""
        ...

    @property
    def name(self) -> str:
        """The cluster's name."""
        ...

    def updates(self) -> AsyncIterator[Snapshot | LinkState]:
        """Every new snapshot and every change of the connection, until `close`.

        Reconnects for ever with growing pauses (at most 5 s). A slow reader gets the newest
        snapshot, not all of them.
        """
        ...

    async def send(self, command: Command) -> Ack:
        """Give a command and wait for the answer.

        A refusal is an Ack with ok=False. Raises ClientError when there is no connection, and
        ReadOnlyError when `read_only` is set.
        """
        ...

    async def history(self, before: int | None = None, limit: int = 100) -> Sequence[Decision]:
        """Older decisions, newest first, with ids below `before`."""
        ...

    async def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        """What dies with these nodes, for a dialog to show."""
        ...

    async def log_tail(self, instance_id: str, lines: int = 200) -> list[str]:
        """The last lines of an instance's log (start-up output, or what its provider has)."""
        ...

    async def happenings(self, instance_id: str = "") -> Sequence[Happening]:
        """What the provider's control plane said of an instance, or of the cluster; newest last.

        Empty where there is none. Raises ClientError.
        """
        ...

    async def setup_steps(self) -> Sequence[Step]:
        """How far the set-up of nodes is: those under way, failed, or done in the last minutes."""
        ...

    async def step_output(self, node: str, name: str, lines: int = 1000) -> list[str]:
        """The last lines that one set-up step has printed."""
        ...

    async def close(self) -> None:
        """End the connection; the cluster goes on."""
        ...
