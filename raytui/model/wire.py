"""What a daemon and its clients say to each other: newline-delimited JSON, one message a line.

docs/protocol.md describes it for people. A new field with a default keeps the version; anything
that an older peer would misread raises it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec
from msgspec import Struct

from raytui.model.codec import dec_hook, encode
from raytui.model.command import Ack, Command, Impact
from raytui.model.plan import Decision
from raytui.model.snapshot import Delta, Snapshot, apply
from raytui.model.step import Step

PROTOCOL = 1
"""Version of the protocol; both sides must have the same."""

MAX_REQUEST_BYTES = 1 << 20
"""Longest line that a daemon reads."""

MAX_MESSAGE_BYTES = 256 << 20
"""Longest line that a client reads: a whole snapshot of a very large cluster."""


class Hello(Struct, frozen=True, tag="hello"):
    """The daemon's first line on every connection."""

    protocol: int
    raytui: str
    """Version of raytui that the daemon runs."""
    cluster: str
    pid: int


class Subscribe(Struct, frozen=True, tag="subscribe"):
    """Send a whole snapshot now and a delta after each change. Asked again, it starts anew."""


class DoCommand(Struct, frozen=True, tag="command", omit_defaults=True):
    """Carry out a command; answered by AckIs."""

    id: int
    command: Command
    by: str = ""
    """`user@host` as the client says; the daemon adds whom the socket belongs to."""
    command_id: str = ""
    """A name that no other command has. One that comes again, also on another connection, gets
    the first answer and does nothing."""


class History(Struct, frozen=True, tag="history", omit_defaults=True):
    """Decisions with ids below `before`, newest first; answered by HistoryIs."""

    id: int
    before: int | None = None
    limit: int = 100


class ImpactOf(Struct, frozen=True, tag="impact"):
    """What dies with these instances; answered by ImpactIs."""

    id: int
    instance_ids: tuple[str, ...]


class LogTail(Struct, frozen=True, tag="log-tail", omit_defaults=True):
    """The end of an instance's log; answered by LogIs."""

    id: int
    instance_id: str
    lines: int = 200


class SetupSteps(Struct, frozen=True, tag="setup-steps"):
    """How far the set-up of nodes is; answered by SetupIs."""

    id: int


class StepOutput(Struct, frozen=True, tag="step-output", omit_defaults=True):
    """The end of what one set-up step has printed; answered by LogIs."""

    id: int
    node: str
    name: str
    lines: int = 1000


ClientMessage = Subscribe | DoCommand | History | ImpactOf | LogTail | SetupSteps | StepOutput
"""All that a client says."""


class SnapshotIs(Struct, frozen=True, tag="snapshot"):
    """A whole picture."""

    snapshot: Snapshot


class DeltaIs(Struct, frozen=True, tag="delta"):
    """What changed since the picture sent before."""

    delta: Delta


class AckIs(Struct, frozen=True, tag="ack"):
    """The answer to DoCommand."""

    id: int
    ack: Ack


class HistoryIs(Struct, frozen=True, tag="history"):
    """The answer to History."""

    id: int
    decisions: tuple[Decision, ...]


class ImpactIs(Struct, frozen=True, tag="impact"):
    """The answer to ImpactOf."""

    id: int
    impacts: tuple[Impact, ...]


class SetupIs(Struct, frozen=True, tag="setup"):
    """The answer to SetupSteps."""

    id: int
    steps: tuple[Step, ...]


class LogIs(Struct, frozen=True, tag="log"):
    """The answer to LogTail and StepOutput."""

    id: int
    lines: tuple[str, ...]


class Error(Struct, frozen=True, tag="error", omit_defaults=True):
    """A line that could not be read (`id` is None), or a question that could not be answered."""

    message: str
    id: int | None = None


Answer = AckIs | HistoryIs | ImpactIs | SetupIs | LogIs
"""Messages that answer one question."""

ServerMessage = (
    Hello | SnapshotIs | DeltaIs | AckIs | HistoryIs | ImpactIs | SetupIs | LogIs | Error
)
"""All that a daemon says."""


class WireError(Exception):
    """A line that is not a message; `str()` is one sentence. `id` is the question's, if legible."""

    def __init__(self, message: str, question: int | None = None) -> None:
        super().__init__(message)
        self.id = question


class _Id(Struct):
    id: int | None = None


M = TypeVar("M")
_FROM_CLIENT: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(
    ClientMessage, dec_hook=dec_hook
)
_FROM_SERVER: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(
    ServerMessage, dec_hook=dec_hook
)


def line_of(message: ClientMessage | ServerMessage) -> bytes:
    """A message as a line, newline included."""
    return encode(message) + b"\n"


def read_request(line: bytes) -> ClientMessage:
    """What a client said; raises WireError."""
    try:
        return _FROM_CLIENT.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a message of protocol {PROTOCOL}: {error}", _id_in(line)) from None


def read_message(line: bytes) -> ServerMessage:
    """What a daemon said; raises WireError."""
    try:
        return _FROM_SERVER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise WireError(f"not a message of protocol {PROTOCOL}: {error}", _id_in(line)) from None


def check_hello(message: ServerMessage) -> Hello:
    """The daemon's greeting; raises WireError when it is none or of another version."""
    if isinstance(message, Error):
        raise WireError(message.message)
    if not isinstance(message, Hello):
        raise WireError("the daemon did not greet first; is this raytui's control socket?")
    if message.protocol != PROTOCOL:
        raise WireError(
            f"the daemon of {message.cluster} runs raytui {message.raytui} and speaks protocol "
            f"{message.protocol}, this raytui speaks {PROTOCOL}: use the same version on both sides"
        )
    return message


def _id_in(line: bytes) -> int | None:
    try:
        return msgspec.json.decode(line, type=_Id).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class LineSplitter:
    """Cuts a byte stream into lines, never keeping more than `limit` bytes of an unfinished one.

    A longer line comes out as None in its place, and what follows it is read as usual.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that `data` completes, without their newlines."""
        lines: list[bytes | None] = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            lines.append(None if self._skipping else b"".join(self._parts))
            self._parts, self._size, self._skipping = [], 0, False
        self._add(rest)
        return lines

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            self._skipping, self._parts = True, []
        elif piece:
            self._parts.append(piece)


class MessageReader:
    """Makes messages of the bytes that a daemon sends."""

    def __init__(self) -> None:
        self._lines = LineSplitter(MAX_MESSAGE_BYTES)

    def feed(self, data: bytes) -> Iterator[ServerMessage]:
        """The messages that `data` completes; raises WireError at one that is none."""
        for line in self._lines.feed(data):
            if line is None:
                raise WireError(f"the daemon sent more than {MAX_MESSAGE_BYTES} bytes")
            yield read_message(line)


class MisfitError(Exception):
    """A delta belongs to another picture than ours; subscribing again brings a whole one."""


class Newest:
    """The newest picture, from whole ones and deltas as they come."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    def take(self, message: SnapshotIs | DeltaIs) -> Snapshot | None:
        """The picture after a message; raises MisfitError.

        None for deltas that were on the way when a whole picture was asked for: they have nothing
        to stand on.
        """
        if isinstance(message, SnapshotIs):
            self.snapshot = message.snapshot
        elif self.snapshot is not None:
            try:
                self.snapshot = apply(self.snapshot, message.delta)
            except (ValueError, KeyError):
                self.snapshot = None
                raise MisfitError from None
        return self.snapshot
