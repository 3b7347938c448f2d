"""Launch calls run side by side, so many and no more, and hold up nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raytui.autoscaler.loop.orders import LAUNCHES_AT_ONCE, TERMINATIONS_AT_ONCE, THREADS, Orders
from raytui.backends.base import LaunchRequest
from raytui.backends.fake import FakeProvider
from tests.support.clusters import kind, spec
from tests.support.waiting import eventually
from tests.support.world import World

DEADLINE_S = 10.0


class Gate:
    """Stands before a provider's launch calls and lets them through when told to."""

    def __init__(self, provider: FakeProvider) -> None:
        self.inside: list[str] = []
        self.counts: list[int] = []
        self.most = 0
        self._open = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._launch = provider.launch
        provider.launch = self.launch

    def launch(self, request: LaunchRequest):
        with self._lock:
            self.inside.append(request.request_id)
            self.counts.append(request.count)
            self.most = max(self.most, len(self.inside))
        assert self._open.acquire(timeout=DEADLINE_S)
        with self._lock:
            self.inside.remove(request.request_id)
            return self._launch(request)

    def let(self, count: int) -> None:
        self._open.release(count)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    made = ThreadPoolExecutor(THREADS)
    yield made
    made.shutdown()


def test_two_hundred_nodes_of_a_type_are_one_call_of_the_first_round(tmp_path, pool) -> None:
    floor = kind("small", 0.2, CPU=4, min=200, max=200)
    world = World(spec(floor, max_workers=200), tmp_path / "l.db")
    gate = Gate(world.provider)
    world.boot(pool)
    world.run()
    eventually(lambda: gate.counts)
    assert gate.counts == [200]
    gate.let(1)
    eventually(world.reconciler.due)
    world.run()
    assert len(world.workers()) == 200


def test_calls_run_side_by_side_and_others_follow_as_they_end(tmp_path: Path, pool) -> None:
    kinds = [kind(f"t{i:02}", 0.2, CPU=4, min=2) for i in range(LAUNCHES_AT_ONCE + 4)]
    world = World(spec(*kinds, max_workers=100), tmp_path / "l.db")
    gate = Gate(world.provider)
    world.boot(pool)
    world.run()
    eventually(lambda: len(gate.inside) == LAUNCHES_AT_ONCE)
    world.run(2)
    assert all(source.ok for source in world.snapshot.sources), "the listing has a thread"
    assert len(gate.inside) == LAUNCHES_AT_ONCE
    gate.let(1)
    eventually(lambda: world.reconciler._orders.any_done)
    world.run()
    eventually(lambda: len(gate.counts) == LAUNCHES_AT_ONCE + 1)
    gate.let(100)
    eventually(lambda: world.run() and not world.ledger.open_requests())
    assert len(world.workers()) == 2 * len(kinds)
    assert gate.most == LAUNCHES_AT_ONCE
    assert world.ledger.open_requests() == []


def test_a_call_that_waits_is_under_way_and_can_be_abandoned(pool) -> None:
    provider = FakeProvider(clock=time.time)
    gate = Gate(provider)
    orders = Orders(provider, pool)
    names = [f"r{i}" for i in range(LAUNCHES_AT_ONCE + 1)]
    for name in names:
        orders.launch(LaunchRequest(name, "small", 1), 1)
    assert orders.launches(names[-1])
    assert len(orders.launching) == LAUNCHES_AT_ONCE, "patience counts from the call"
    orders.abandon(names[-1])
    assert not orders.launches(names[-1])
    gate.let(100)
    eventually(lambda: not gate.inside and len(gate.counts) == LAUNCHES_AT_ONCE)
    eventually(lambda: orders.any_done)
    assert names[-1] not in provider._answers


def test_so_many_terminations_run_at_once(pool) -> None:
    provider = FakeProvider(clock=time.time)
    gate = threading.Event()
    ended: list[str] = []

    def terminate(ids):
        assert gate.wait(DEADLINE_S)
        ended.extend(ids)

    provider.terminate = terminate
    orders = Orders(provider, pool)
    for number in range(TERMINATIONS_AT_ONCE + 3):
        orders.terminate([f"i{number}"])
    assert len(orders.terminating) == TERMINATIONS_AT_ONCE
    gate.set()
    eventually(lambda: len(ended) == TERMINATIONS_AT_ONCE)
