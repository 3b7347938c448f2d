"""Provider calls that take their time: an executor whose futures the story completes."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import Executor, Future
from itertools import count
from typing import Any

from tests.simulation import faults
from tests.simulation.clock import Clock
from tests.simulation.faults import Weather

_LINGERS_S = 3.0
"""What a dead daemon has sent arrives within this long, or never."""


class Promise(Future[Any]):
    """A future that nobody can wait for: virtual time stands while the loop runs."""

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            raise TimeoutError
        return super().result()


class Network:
    """Calls under way. They outlive the daemon: what was sent may still arrive."""

    def __init__(self, clock: Clock, weather: Weather, say: Callable[[str], None]) -> None:
        self.on_failure: Callable[[str, Exception], None] = lambda *_: None
        """Told when the daemon gets an error, and of which call."""
        self._clock = clock
        self._weather = weather
        self._say = say
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._living = 0
        """Which life of the daemon waits for answers."""
        self._died_at = 0.0

    def executor(self) -> Calls:
        """The executor of a daemon that starts now."""
        return Calls(self, self._living)

    def daemon_dies(self) -> None:
        """Nobody waits for the answers under way; some calls were not even sent."""
        self._living += 1
        self._died_at = self._clock.now

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way."""
        return not self._due

    def deliver(self) -> None:
        """Let everything happen that is due by now, in its order."""
        while self._due and self._due[0][0] <= self._clock.now:
            heapq.heappop(self._due)[2]()

    def send(self, life: int, promise: Promise, name: str, call: Callable[[], Any]) -> None:
        """A call leaves the daemon: it is done at once or later, answered at once or later."""
        weather, fault = self._weather, faults.LATE_REPLY
        if name == "list_instances":
            fault = faults.LATE_LISTING
        there = back = 0.0
        if weather.strikes(fault):
            there = weather.between(fault, 0.0, 8.0)
            back = weather.between(fault, 0.0, 10.0 if name == "list_instances" else 90.0)
        if name != "list_instances" and weather.strikes(faults.NO_REPLY):
            back = -1.0
        self._at(there, lambda: self._arrive(life, promise, name, call, back))

    def _at(self, delay: float, happen: Callable[[], None]) -> None:
        if delay <= 0:
            happen()
        else:
            heapq.heappush(self._due, (self._clock.now + delay, next(self._serial), happen))

    def _arrive(
        self, life: int, promise: Promise, name: str, call: Callable[[], Any], back: float
    ) -> None:
        if life != self._living and (
            self._clock.now > self._died_at + _LINGERS_S
            or self._weather.strikes(faults.LOST_BY_DEATH)
        ):
            return
        try:
            answer, error = call(), None
        except Exception as raised:
            answer, error = None, raised
        if error is None and name != "list_instances" and self._weather.strikes(faults.TWICE):
            delay = self._weather.between(faults.TWICE, 0.1, 30.0)
            self._at(delay, lambda: self._repeat(name, call))
        if back < 0:
            self._say(f"{name} is never answered")
            return
        self._at(back, lambda: self._answer(life, promise, name, answer, error))

    def _answer(
        self, life: int, promise: Promise, name: str, answer: Any, error: Exception | None
    ) -> None:
        if life != self._living:
            return
        if error is not None:
            self.on_failure(name, error)
            promise.set_exception(error)
        else:
            promise.set_result(answer)

    def _repeat(self, name: str, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as error:  # nobody waits for a duplicate's answer
            self._say(f"{name} again: {error}")


class Calls(Executor):
    """What one life of the daemon submits its calls to."""

    def __init__(self, network: Network, life: int) -> None:
        self._network = network
        self._life = life

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        promise = Promise()
        promise.set_running_or_notify_cancel()  # what is on its way cannot be called back
        self._network.send(self._life, promise, fn.__name__, lambda: fn(*args, **kwargs))
        return promise
