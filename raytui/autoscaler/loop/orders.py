"""Provider calls under way: given in a thread of their own, collected by the tick."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future

from msgspec import Struct

from raytui.backends.base import LaunchRequest, NodeProvider, PartialLaunchError, ProviderError
from raytui.model.state import Instance

LAUNCHES_AT_ONCE = 16
"""Launch calls under way; more wait for one of them, so that other calls find a thread."""
TERMINATIONS_AT_ONCE = 4
THREADS = LAUNCHES_AT_ONCE + TERMINATIONS_AT_ONCE + 2
"""What a pool needs so that no call waits for another: these, and the listing."""


class LaunchDone(Struct, frozen=True):
    """A launch call came back: with instances, an error, or (partly launched) both."""

    request: LaunchRequest
    decision_id: int
    launched: tuple[Instance, ...] = ()
    error: ProviderError | None = None


class TerminateDone(Struct, frozen=True):
    """A terminate call came back."""

    instance_ids: tuple[str, ...]
    error: ProviderError | None = None


class Orders:
    """What the provider was asked to do. Belongs to the thread that ticks."""

    def __init__(self, provider: NodeProvider, pool: Executor) -> None:
        self._provider = provider
        self._pool = pool
        self._waiting: deque[tuple[LaunchRequest, int]] = deque()
        self._launches: dict[str, tuple[LaunchRequest, int, Future[list[Instance]]]] = {}
        self._terminations: list[tuple[tuple[str, ...], Future[None]]] = []

    def launch(self, request: LaunchRequest, decision_id: int) -> None:
        """Ask for nodes, as soon as a call is free; the intent must already be in the ledger."""
        self._waiting.append((request, decision_id))
        self._start_launches()

    def _start_launches(self) -> None:
        while self._waiting and len(self._launches) < LAUNCHES_AT_ONCE:
            request, decision_id = self._waiting.popleft()
            future = self._pool.submit(self._provider.launch, request)
            self._launches[request.request_id] = (request, decision_id, future)

    def terminate(self, instance_ids: Iterable[str]) -> None:
        """Ask to terminate instances, all in one call; those under way are not asked again.

        With too many calls under way nothing is asked: who wants them gone will ask again.
        """
        if len(self._terminations) >= TERMINATIONS_AT_ONCE:
            return
        under_way = self.terminating
        ids = tuple(i for i in instance_ids if i not in under_way)
        if ids:
            self._terminations.append((ids, self._pool.submit(self._provider.terminate, ids)))

    def launches(self, request_id: str) -> bool:
        """Whether the launch call of a request is under way, or waits to be made."""
        return request_id in self._launches or any(
            request.request_id == request_id for request, _ in self._waiting
        )

    @property
    def launching(self) -> list[tuple[LaunchRequest, int]]:
        """The requests whose launch calls are under way, with their decisions."""
        return [(request, decision_id) for request, decision_id, _ in self._launches.values()]

    def abandon(self, request_id: str) -> None:
        """Wait no longer for the answer of a launch call; what it brings, the listing will show."""
        if request_id in self._launches:
            _, _, future = self._launches.pop(request_id)
            future.cancel()
        self._waiting = deque(w for w in self._waiting if w[0].request_id != request_id)
        self._start_launches()

    @property
    def terminating(self) -> frozenset[str]:
        """Instances whose termination is under way."""
        return frozenset(i for ids, _ in self._terminations for i in ids)

    @property
    def terminations(self) -> list[tuple[str, ...]]:
        """Whom each terminate call under way is to end."""
        return [ids for ids, _ in self._terminations]

    def abandon_termination(self, instance_ids: tuple[str, ...]) -> None:
        """Wait no longer for the answer of a terminate call."""
        self._terminations = [pair for pair in self._terminations if pair[0] != instance_ids]

    @property
    def any_done(self) -> bool:
        """Whether an answer waits to be collected."""
        return any(f.done() for _, _, f in self._launches.values()) or any(
            f.done() for _, f in self._terminations
        )

    def collect(self) -> Iterator[LaunchDone | TerminateDone]:
        """Hand out every answer that has come, once."""
        for request_id, (request, decision_id, future) in list(self._launches.items()):
            if future.done():
                del self._launches[request_id]
                yield _launch_answer(request, decision_id, future)
        self._start_launches()
        ready = [pair for pair in self._terminations if pair[1].done()]
        self._terminations = [pair for pair in self._terminations if pair not in ready]
        for ids, answer in ready:
            yield TerminateDone(ids, _as_provider_error(answer.exception()))


def _launch_answer(
    request: LaunchRequest, decision_id: int, future: Future[list[Instance]]
) -> LaunchDone:
    error = future.exception()
    if error is None:
        return LaunchDone(request, decision_id, tuple(future.result()))
    if isinstance(error, PartialLaunchError):
        return LaunchDone(request, decision_id, error.launched, error.cause)
    return LaunchDone(request, decision_id, (), _as_provider_error(error))


def _as_provider_error(error: BaseException | None) -> ProviderError | None:
    """Anything a provider raises counts as a failed call; its type is kept in the message."""
    if error is None or isinstance(error, ProviderError):
        return error
    return ProviderError(f"{type(error).__name__}: {error}")
