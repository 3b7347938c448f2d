"""A cluster reached through its daemon: reconnecting, catching up by deltas, asking questions."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property
from typing import NoReturn, TypeVar

from raytui.autoscaler.daemon.control import claimed_name
from raytui.client.base import ClientError, Link, LinkState, ReadOnlyError
from raytui.client.dashboard_way import DashboardWay, Opening
from raytui.client.transport import (
    ClusterDownError,
    LastingError,
    Stream,
    Transport,
    TransportError,
)
from raytui.client.work import NoWork, Work
from raytui.model import wire
from raytui.model.command import Ack, Command, Impact, Stop
from raytui.model.happening import Happening
from raytui.model.plan import Decision
from raytui.model.snapshot import Snapshot
from raytui.model.step import Step

_PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between tries to reconnect; the last one repeats."""

_LASTING_PAUSE_S = 15.0
"""After an error that only a person can mend; a login that fails too often gets one locked out."""

_HELLO_WAIT_S = 30.0
"""An ssh login or a cold start of Python on the other side may come first."""

_ANSWER_WAIT_S = 60.0

_BACK_WAIT_S = 5.0
"""How long a command whose answer was lost waits for another connection."""

A = TypeVar("A", wire.AckIs, wire.HistoryIs, wire.ImpactIs, wire.SetupIs, wire.LogIs)


class _AnswerLostError(ClientError):
    """The connection broke between a question and its answer."""


class DaemonClient:
    """ClusterClient over a daemon's control protocol."""

    def __init__(
        self,
        name: str,
        transport: Transport,
        read_only: bool = False,
        *,
        opening: Callable[[Callable[[], str]], Opening] | None = None,
    ) -> None:
        """`opening` tells how to get to the dashboard, given who tells its URL on the head."""
        self.read_only = read_only
        self._way = DashboardWay(opening(self._dashboard_url)) if opening is not None else None
        self.hello: wire.Hello | None = None
        """The daemon's last greeting: its version and pid."""
        self._name = name
        self._transport = transport
        self._by = claimed_name()
        self._boxes: set[_Mailbox] = set()
        self._link = LinkState(Link.CONNECTING)
        self._tried = asyncio.Event()
        self._live = asyncio.Event()
        self._stream: Stream | None = None
        self._writing = asyncio.Lock()
        self._newest = wire.Newest()
        self._wants_snapshots = False
        self._open: dict[int, asyncio.Future[wire.Answer]] = {}
        self._ids = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @cached_property
    def work(self) -> Work:
        """See ClusterClient."""
        if self._way is None:
            return NoWork("nothing tells the way to this cluster's dashboard")
        from raytui.client.dashboard_work import DashboardWork  # HTTP is a heavy import

        return DashboardWork(self._way, lambda: self.read_only)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._name

    async def updates(self) -> AsyncIterator[Snapshot | LinkState]:
        """Every new snapshot and every change of the connection; a slow reader gets the newest."""
        box = _Mailbox()
        box.put(self._link)
        if self._newest.snapshot is not None:
            box.put(self._newest.snapshot)
        self._boxes.add(box)
        try:
            self._start()
            if not self._wants_snapshots:
                self._wants_snapshots = True
                await self._write(wire.Subscribe())
            while not self._closed:
                news = await box.get()
                if news is not None:
                    yield news
        finally:
            self._boxes.discard(box)

    async def send(self, command: Command) -> Ack:
        """Give a command and wait for the answer; see ClusterClient."""
        if self.read_only:
            raise ReadOnlyError(f"{self._name} is open read-only")
        command_id = secrets.token_hex(8)
        try:
            return await self._order(command, command_id)
        except _AnswerLostError:
            # The id makes a repetition harmless: what was done already is only answered.
            if isinstance(command, Stop) or not await self._back():
                raise
            return await self._order(command, command_id)

    async def _order(self, command: Command, command_id: str) -> Ack:
        question = wire.DoCommand(next(self._ids), command, self._by, command_id)
        return (await self._ask(question, wire.AckIs)).ack

    async def _back(self) -> bool:
        """Wait a moment for a connection that broke; whether there is one again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BACK_WAIT_S):
                await self._live.wait()
        return self._live.is_set()

    async def history(self, before: int | None = None, limit: int = 100) -> Sequence[Decision]:
        """Older decisions, newest first, with ids below `before`."""
        question = wire.History(next(self._ids), before, limit)
        return (await self._ask(question, wire.HistoryIs)).decisions

    async def impact(self, instance_ids: Sequence[str]) -> list[Impact]:
        """What dies with these nodes."""
        question = wire.ImpactOf(next(self._ids), tuple(instance_ids))
        return list((await self._ask(question, wire.ImpactIs)).impacts)

    async def log_tail(self, instance_id: str, lines: int = 200) -> list[str]:
        """The last lines of an instance's log."""
        question = wire.LogTail(next(self._ids), instance_id, lines)
        return list((await self._ask(question, wire.LogIs)).lines)

    async def happenings(self, instance_id: str = "") -> Sequence[Happening]:
        """See ClusterClient."""
        return ()

    async def setup_steps(self) -> Sequence[Step]:
        """How far the set-up of nodes is."""
        return (await self._ask(wire.SetupSteps(next(self._ids)), wire.SetupIs)).steps

    async def step_output(self, node: str, name: str, lines: int = 1000) -> list[str]:
        """The last lines that one set-up step has printed."""
        question = wire.StepOutput(next(self._ids), node, name, lines)
        return list((await self._ask(question, wire.LogIs)).lines)

    async def close(self) -> None:
        """End the connection and every `updates`; the cluster goes on."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for box in self._boxes:
            box.wake()
        if self._way is not None:
            await asyncio.to_thread(self._way.close)

    def _dashboard_url(self) -> str:
        snapshot = self._newest.snapshot
        return snapshot.info.dashboard_url if snapshot is not None else ""

    def _start(self) -> None:
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._stay_connected(), name=f"link to {self._name}")

    async def _stay_connected(self) -> None:
        """Connect, listen, and begin again when it breaks, for ever."""
        tries = 0
        while True:
            try:
                await self._converse()
            except TransportError as failure:
                link = Link.CLOSED if isinstance(failure, ClusterDownError) else Link.LOST
                error = str(failure)
                lasting = isinstance(failure, LastingError)
            tries = 0 if self._link.link is Link.LIVE else tries + 1
            self._set_link(LinkState(link, tries, error))
            pause_s = _PAUSES_S[min(tries, len(_PAUSES_S) - 1)]
            await asyncio.sleep(_LASTING_PAUSE_S if lasting else pause_s)

    async def _converse(self) -> NoReturn:
        """One connection, from opening it to its end, which is always a TransportError."""
        stream = await self._transport.open()
        error = ""
        try:
            await self._listen(stream)
        except wire.WireError as failure:
            error = str(failure)
        finally:
            self._stream = None
            self._live.clear()
            self._newest = wire.Newest()
            self._fail_open("the connection was lost before the answer came")
            ended = await stream.close()
        if error:
            raise TransportError(error)
        raise ended or TransportError("the daemon closed the connection")

    async def _listen(self, stream: Stream) -> None:
        messages = _messages(stream)
        try:
            greeting = await asyncio.wait_for(anext(messages, None), _HELLO_WAIT_S)
        except TimeoutError:
            raise wire.WireError(f"no greeting within {_HELLO_WAIT_S:g} s") from None
        if greeting is None:
            return
        self.hello = wire.check_hello(greeting)
        self._stream = stream
        self._live.set()
        self._set_link(LinkState(Link.LIVE))
        if self._wants_snapshots:
            await self._write(wire.Subscribe())
        async for message in messages:
            await self._take(message)

    async def _take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.SnapshotIs() | wire.DeltaIs():
                try:
                    snapshot = self._newest.take(message)
                except wire.MisfitError:
                    await self._write(wire.Subscribe())
                else:
                    if snapshot is not None:
                        self._show(snapshot)
            case wire.AckIs() | wire.HistoryIs() | wire.ImpactIs() | wire.SetupIs() | wire.LogIs():
                waiting = self._open.pop(message.id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case wire.Error(text, question):
                failed = self._open.pop(question, None) if question is not None else None
                if failed is not None and not failed.done():
                    failed.set_exception(ClientError(text))
            case wire.Hello():
                pass

    async def _ask(self, question: _Question, kind: type[A]) -> A:
        """Put a question and wait for its answer; raises ClientError."""
        self._start()
        if not self._closed:
            await self._tried.wait()
        if self._stream is None or self._closed:
            raise ClientError(f"no connection to {self._name}: {self._link.error or 'closed'}")
        waiting: asyncio.Future[wire.Answer] = asyncio.get_running_loop().create_future()
        self._open[question.id] = waiting
        try:
            await self._write(question)
            answer = await asyncio.wait_for(waiting, _ANSWER_WAIT_S)
        except TimeoutError:
            raise ClientError(f"{self._name} gave no answer in {_ANSWER_WAIT_S:g} s") from None
        finally:
            self._open.pop(question.id, None)
        if not isinstance(answer, kind):
            raise ClientError(f"{self._name} answered {type(answer).__name__} to another question")
        return answer

    async def _write(self, message: wire.ClientMessage) -> None:
        """Send a message if there is a connection; that it broke is for the listener to see."""
        async with self._writing:
            if self._stream is not None:
                with contextlib.suppress(ConnectionError):
                    await self._stream.write(wire.line_of(message))

    def _show(self, snapshot: Snapshot) -> None:
        for box in self._boxes:
            box.put(snapshot)

    def _set_link(self, link: LinkState) -> None:
        self._link = link
        self._tried.set()
        for box in self._boxes:
            box.put(link)

    def _fail_open(self, why: str) -> None:
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(_AnswerLostError(f"{self._name}: {why}"))


_Question = (
    wire.DoCommand | wire.History | wire.ImpactOf | wire.LogTail | wire.SetupSteps | wire.StepOutput
)


class _Mailbox:
    """The newest of each kind of news, in the order in which they came."""

    def __init__(self) -> None:
        self._news: dict[type, Snapshot | LinkState] = {}
        self._filled = asyncio.Event()

    def put(self, news: Snapshot | LinkState) -> None:
        self._news.pop(type(news), None)
        self._news[type(news)] = news
        self._filled.set()

    def wake(self) -> None:
        """Make a waiting `get` return."""
        self._filled.set()

    async def get(self) -> Snapshot | LinkState | None:
        """The oldest news that was not replaced; None when woken without any."""
        await self._filled.wait()
        oldest = next(iter(self._news), None)
        news = self._news.pop(oldest) if oldest is not None else None
        if not self._news:
            self._filled.clear()
        return news


async def _messages(stream: Stream) -> AsyncIterator[wire.ServerMessage]:
    reader = wire.MessageReader()
    while data := await stream.read():
        for message in reader.feed(data):
            yield message
