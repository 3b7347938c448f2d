"""The control socket: snapshots out to whoever subscribed, commands and questions in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
import struct
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Protocol

from raytui.model import wire
from raytui.model.command import Ack, Command, Impact
from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot, difference
from raytui.model.step import Step

_QUESTIONS_AT_ONCE = 8
"""Open questions of one connection; more are not read until one is answered."""

_CHUNK = 1 << 16
_LONGEST_ID = 100
_MOST_LINES = 10_000

_Question = (
    wire.DoCommand | wire.History | wire.ImpactOf | wire.LogTail | wire.SetupSteps | wire.StepOutput
)


class AnswerError(Exception):
    """A question could not be answered; `str()` is one sentence for the client."""


class Answers(Protocol):
    """What the server asks of the daemon behind it. Any of them may raise AnswerError."""

    async def command(self, command: Command, by: str, command_id: str) -> Ack:
        """Carry out a command; one whose id was answered before is only answered again."""
        ...

    async def history(self, before: int | None, limit: int) -> Sequence[Decision]:
        """Decisions below an id, newest first."""
        ...

    async def impact(self, instance_ids: Sequence[str]) -> Sequence[Impact]:
        """What dies with these instances."""
        ...

    async def log_tail(self, instance_id: str, lines: int) -> Sequence[str]:
        """The end of an instance's log."""
        ...

    async def setup_steps(self) -> Sequence[Step]:
        """How far the set-up of nodes is."""
        ...

    async def step_output(self, node: str, name: str, lines: int) -> Sequence[str]:
        """The end of what one set-up step has printed."""
        ...


class Server:
    """Serves one cluster on a Unix socket that only its owner can open."""

    def __init__(self, path: Path, hello: wire.Hello, answers: Answers) -> None:
        self._path = path
        self.hello = wire.line_of(hello)
        self.answers = answers
        self.latest = _Latest()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. The caller holds the daemon's lock: a socket that lies there is a dead one's."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.fspath(self._path))
        self._path.chmod(0o600)  # Nobody can have connected: it does not listen yet.
        self._server = await asyncio.start_unix_server(self._accept, sock=listener)

    def publish(self, snapshot: Snapshot) -> None:
        """Make `snapshot` the newest; subscribers get it as soon as they can take it."""
        self.latest.replace(snapshot)

    @property
    def watched(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._connections)

    async def close(self) -> None:
        """Stop listening, end every connection and take the socket away."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            uid = peer_uid(writer.get_extra_info("socket"))
            if may_connect(uid):
                await _Connection(self, reader, writer, user_name(uid)).serve()
            else:
                refusal = f"uid {uid} may not control a cluster of uid {os.getuid()}"
                writer.write(wire.line_of(wire.Error(refusal)))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass  # The client is gone, or we are closing: nobody is left to be told.
        finally:
            self._connections.discard(task)
            writer.close()


class _Latest:
    """The newest snapshot, and its encoded forms, made once however many subscribers there are."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self._changed = asyncio.Event()
        self._whole: tuple[int, bytes] = (-1, b"")
        self._delta: tuple[int, int, bytes] = (-1, -1, b"")

    def replace(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.wake()

    def wake(self) -> None:
        """Let everybody look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def look(self) -> None:
        """Wait until something may be new."""
        await self._changed.wait()

    def whole(self, snapshot: Snapshot) -> bytes:
        if self._whole[0] != snapshot.seq:
            self._whole = (snapshot.seq, wire.line_of(wire.SnapshotIs(snapshot)))
        return self._whole[1]

    def delta(self, old: Snapshot, new: Snapshot) -> bytes:
        if self._delta[:2] != (old.seq, new.seq):
            self._delta = (old.seq, new.seq, wire.line_of(wire.DeltaIs(difference(old, new))))
        return self._delta[2]


class _Connection:
    """One client, from hello to the end of its stream."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._user = user
        self._writing = asyncio.Lock()
        self._free = asyncio.Semaphore(_QUESTIONS_AT_ONCE)
        self._subscribed = False
        self._sent: Snapshot | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        try:
            await self._write(self._server.hello)
            lines = wire.LineSplitter(wire.MAX_REQUEST_BYTES)
            while data := await self._reader.read(_CHUNK):
                for line in lines.feed(data):
                    await self._take(line)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, line: bytes | None) -> None:
        if line is None:
            limit = f"line longer than {wire.MAX_REQUEST_BYTES} bytes"
            await self._write(wire.line_of(wire.Error(limit)))
        elif line.strip():
            try:
                message = wire.read_request(line)
            except wire.WireError as error:
                await self._write(wire.line_of(wire.Error(str(error), error.id)))
                return
            if isinstance(message, wire.Subscribe):
                self._subscribe()
            else:
                await self._free.acquire()
                self._spawn(self._answer(message))

    def _subscribe(self) -> None:
        self._sent = None
        if self._subscribed:
            self._server.latest.wake()
        else:
            self._subscribed = True
            self._spawn(self._follow())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self) -> None:
        """Send the newest snapshot, again and again; what a slow client missed is left out."""
        latest = self._server.latest
        with contextlib.suppress(ConnectionError):
            while True:
                newest, sent = latest.snapshot, self._sent
                if newest is None or (sent is not None and sent.seq == newest.seq):
                    await latest.look()
                    continue
                # Noted before the write, so that a Subscribe that comes meanwhile is not undone.
                self._sent = newest
                await self._write(latest.delta(sent, newest) if sent else latest.whole(newest))

    async def _answer(self, message: _Question) -> None:
        try:
            answer: wire.ServerMessage = await self._ask(message)
        except AnswerError as error:
            answer = wire.Error(str(error), message.id)
        finally:
            self._free.release()
        with contextlib.suppress(ConnectionError):
            await self._write(wire.line_of(answer))

    async def _ask(self, message: _Question) -> wire.Answer:
        answers = self._server.answers
        match message:
            case wire.DoCommand(question, command, claimed, command_id):
                ack = await answers.command(
                    command, recorded_name(claimed, self._user), command_id[:_LONGEST_ID]
                )
                return wire.AckIs(question, ack)
            case wire.History(question, before, limit):
                decisions = await answers.history(before, max(1, min(limit, 1000)))
                return wire.HistoryIs(question, tuple(decisions))
            case wire.ImpactOf(question, instance_ids):
                return wire.ImpactIs(question, tuple(await answers.impact(instance_ids)))
            case wire.LogTail(question, instance_id, lines):
                tail = await answers.log_tail(instance_id, max(1, min(lines, _MOST_LINES)))
                return wire.LogIs(question, tuple(tail))
            case wire.SetupSteps(question):
                return wire.SetupIs(question, tuple(await answers.setup_steps()))
            case wire.StepOutput(question, node, name, lines):
                tail = await answers.step_output(node, name, max(1, min(lines, _MOST_LINES)))
                return wire.LogIs(question, tuple(tail))

    async def _write(self, line: bytes) -> None:
        async with self._writing:
            self._writer.write(line)
            await self._writer.drain()


def peer_uid(connection: socket.socket) -> int:
    """User id of the process at the other end of a Unix socket; -1 where the system cannot tell."""
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        ucred = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return int(struct.unpack("3i", ucred)[1])
    if sys.platform == "darwin":
        # struct xucred { u_int version; uid_t uid; … } of <sys/ucred.h>; SOL_LOCAL is 0.
        xucred = connection.getsockopt(0, 0x001, 76)
        return int(struct.unpack_from("II", xucred)[1])
    return -1


def may_connect(uid: int) -> bool:
    """Whether a peer may control us: its user is ours, or root, which could anyway.

    Where the system does not tell the peer, the socket's mode (0600, in a 0700 directory) is the
    protection.
    """
    return uid in (os.getuid(), 0, -1)


def user_name(uid: int) -> str:
    """Login name of a user id, or the number when it has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def recorded_name(claimed: str, verified: str) -> str:
    """Who gave a command, as the journal keeps it: the client's word, and what we know.

    `alice@laptop` when the socket's peer is alice too, else `alice@laptop as ubuntu`.
    """
    word = "".join(c for c in claimed if c.isprintable())[:100].strip()
    if not word:
        return f"{verified}@{socket.gethostname()}"
    return word if word.partition("@")[0] == verified else f"{word} as {verified}"
