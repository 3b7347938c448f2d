"""Provider calls under way: given in a thread of their own, collected by the tick."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future

from msgspec import Struct

from raytui.backends.base import LaunchRequest, NodeProvider, PartialLaunchError, ProviderError
from raytui.model.state import Instance


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
        self._launches: dict[str, tuple[LaunchRequest, int, Future[list[Instance]]]] = {}
        self._terminations: list[tuple[tuple[str, ...], Future[None]]] = []

    def launch(self, request: LaunchRequest, decision_id: int) -> None:
        """Ask for nodes; the intent must already be in the ledger."""
        future = self._pool.submit(self._provider.launch, request)
        self._launches[request.request_id] = (request, decision_id, future)

    def terminate(self, instance_ids: Iterable[str]) -> None:
        """Ask to terminate instances, all in one call; those under way are not asked again."""
        ids = tuple(i for i in instance_ids if i not in self.terminating)
        if ids:
            self._terminations.append((ids, self._pool.submit(self._provider.terminate, ids)))

    def launches(self, request_id: str) -> bool:
        """Whether the launch call of a request is under way."""
        return request_id in self._launches

    @property
    def launching(self) -> list[tuple[LaunchRequest, int]]:
        """The requests whose launch calls are under way, with their decisions."""
        return [(request, decision_id) for request, decision_id, _ in self._launches.values()]

    def abandon(self, request_id: str) -> None:
        """Wait no longer for the answer of a launch call; what it brings, the listing will show."""
        _, _, future = self._launches.pop(request_id)
        future.cancel()

    @property
    def terminating(self) -> frozenset[str]:
        """Instances whose termination is under way."""
        return frozenset(i for ids, _ in self._terminations for i in ids)

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
