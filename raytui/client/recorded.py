"""A client that plays a recording: to look at a cluster again, without the cluster."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from raytui.client.base import ClientError, Link, LinkState, ReadOnlyError
from raytui.client.work import NoWork, Work
from raytui.model import codec
from raytui.model.command import Ack, Command, Impact
from raytui.model.happening import Happening
from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step

Update = Snapshot | LinkState


class Frame(Struct, frozen=True, omit_defaults=True):
    """One line of a recording: a snapshot or a change of the connection."""

    snapshot: Snapshot | None = None
    link: LinkState | None = None


def write_recording(path: Path, updates: Iterable[Update]) -> None:
    """Write updates as JSON lines, to be read by `read_recording`."""
    with path.open("wb") as file:
        for update in updates:
            file.write(codec.encode(_frame(update)) + b"\n")


def _frame(update: Update) -> Frame:
    return Frame(link=update) if isinstance(update, LinkState) else Frame(snapshot=update)


def read_recording(path: Path) -> list[Update]:
    """All updates of a recording; raises ClientError with the line that cannot be read."""
    updates: list[Update] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            frame = codec.decode(line, Frame)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ClientError(f"{path}:{number} is not of a recording: {error}") from error
        update = frame.snapshot or frame.link
        if update is not None:
            updates.append(update)
    return updates


class RecordedClient:
    """Plays updates `pace_s` apart (0: at once), then stays at the last one until closed.

    Commands are kept in `sent` and change nothing. What dies with a node and the logs come from
    `impacts` and `logs`, else from the newest snapshot; set-ups are `steps`, which may be replaced,
    and their `outputs` by node and step.
    """

    def __init__(
        self,
        updates: Iterable[Update],
        *,
        pace_s: float = 1.0,
        read_only: bool = False,
        impacts: Mapping[str, Impact] | None = None,
        logs: Mapping[str, Sequence[str]] | None = None,
        steps: Sequence[Step] = (),
        outputs: Mapping[tuple[str, str], Sequence[str]] | None = None,
        work: Work | None = None,
    ) -> None:
        self.read_only = read_only
        self.work: Work = work or NoWork("the work on the cluster is not in the recording")
        self.sent: list[Command] = []
        self.steps = tuple(steps)
        self._coming: deque[Update] = deque(updates)
        self._pace_s = pace_s
        self._impacts = dict(impacts or {})
        self._logs = dict(logs or {})
        self._outputs = dict(outputs or {})
        self._newest = next((u for u in self._coming if isinstance(u, Snapshot)), None)
        self._decisions: dict[int, Decision] = {}
        self._more = asyncio.Event()
        self._closed = False
        for update in self._coming:
            self._remember(update)

    @property
    def closed(self) -> bool:
        """True once `close` was called."""
        return self._closed

    @property
    def name(self) -> str:
        """The recorded cluster's name."""
        return self._newest.info.cluster_name if self._newest is not None else "recording"

    def play(self, update: Update) -> None:
        """Add an update to the end of the recording, e.g. while it is still being made."""
        self._remember(update)
        self._coming.append(update)
        self._more.set()

    async def updates(self) -> AsyncIterator[Update]:
        """The recording at its pace; goes on until `close`."""
        yield LinkState(Link.LIVE)
        while not self._closed:
            # Cleared before looking, so that what comes meanwhile is not missed.
            self._more.clear()
            while self._coming and not self._closed:
                update = self._coming.popleft()
                if isinstance(update, Snapshot):
                    self._newest = update
                yield update
                await asyncio.sleep(self._pace_s)
            if not self._closed:
                await self._more.wait()

    async def send(self, command: Command) -> Ack:
        """Keep the command; a recording cannot act."""
        if self.read_only:
            raise ReadOnlyError
        self.sent.append(command)
        return Ack(ok=True, text=f"{_named(command)}: noted, a recording does not act")

    async def history(self, before: int | None = None, limit: int = 100) -> Sequence[Decision]:
        """Decisions of all snapshots in the recording."""
        older = (i for i in self._decisions if before is None or i < before)
        return [self._decisions[i] for i in sorted(older, reverse=True)[:limit]]

    async def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        """What was recorded about the nodes."""
        return [self._impacts.get(i) or self._guess(i) for i in instance_ids]

    async def log_tail(self, instance_id: str, lines: int = 200) -> list[str]:
        """The recorded log, or the newest word about the instance."""
        if instance_id in self._logs:
            return list(self._logs[instance_id])[-lines:]
        row = self._newest.row(instance_id) if self._newest is not None else None
        instance = row.member.instance if row is not None else None
        return instance.detail.splitlines()[-lines:] if instance is not None else []

    async def happenings(self, instance_id: str = "") -> Sequence[Happening]:
        """See ClusterClient."""
        return ()

    async def setup_steps(self) -> Sequence[Step]:
        """The recorded steps."""
        return self.steps

    async def step_output(self, node: str, name: str, lines: int = 1000) -> list[str]:
        """What was recorded of the step's output, else its newest word."""
        if (node, name) in self._outputs:
            return list(self._outputs[node, name])[-lines:]
        return [s.detail for s in self.steps if (s.node, s.name) == (node, name)]

    async def close(self) -> None:
        """Let `updates` end."""
        self._closed = True
        self._more.set()

    def _remember(self, update: Update) -> None:
        if isinstance(update, Snapshot):
            self._decisions.update((d.decision_id, d) for d in update.decisions)

    def _guess(self, instance_id: str) -> Impact:
        row = self._newest.row(instance_id) if self._newest is not None else None
        if row is None:
            return Impact(instance_id, notes=("not in the recording",))
        node = row.member.node
        return Impact(
            instance_id,
            row.member.node_type,
            tasks=node.activity if node is not None else (),
            object_bytes=int(node.used.amount("object_store_memory")) if node is not None else 0,
        )


def _named(command: Command) -> str:
    return str(command.__struct_config__.tag)
